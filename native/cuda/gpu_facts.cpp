#include "cuda/gpu_facts.h"

#include "core/status.h"
#include "cuda/gpu_context.h"
#include "cuda/gpu_library.h"

namespace td {
namespace {

void check(const td_gpu_table& table, td_gpu_status status) {
  if (status == TD_GPU_OK) return;
  char message[1024] = "";
  table.message(message, sizeof message);
  fail(status == TD_GPU_NONE ? TD_UNSUPPORTED : TD_INTERNAL, "%s", message);
}

}  // namespace

int32_t countGpus(const std::string& kind) {
  if (kind != "cuda" && kind != "emulated") {
    fail(TD_INVALID_ARGUMENT, "'%s' is no kind of GPU: there are cuda and emulated", kind.c_str());
  }
  const td_gpu_table& table = gpuTableOf(kind);
  int32_t count = 0;
  check(table, table.count(&count));
  return count;
}

GpuFacts describeGpu(const std::string& name) {
  const auto parsed = parseGpuName(name);
  if (!parsed) fail(TD_INVALID_ARGUMENT, "'%s' is no GPU's name: cuda:0, emulated:0", name.c_str());
  const td_gpu_table& table = gpuTableOf(parsed->kind);
  td_gpu_info info;
  check(table, table.info(parsed->index, &info));
  std::string obstacle;
  try {
    const Gpu gpu(name, table, parsed->index, gpuSettings(parsed->kind));
    gpu.check(table.free_bytes(gpu.handle(), &info.free_bytes));
  } catch (const Failure& failure) {
    obstacle = failure.what();
  }
  GpuFacts facts;
  facts.numbers[TD_FACT_USABLE] = obstacle.empty() ? 1 : 0;
  facts.numbers[TD_FACT_COMPUTE] = info.compute;
  facts.numbers[TD_FACT_MULTIPROCESSORS] = info.multiprocessors;
  facts.numbers[TD_FACT_COPY_ENGINES] = info.copy_engines;
  facts.numbers[TD_FACT_MEMORY] = info.memory_bytes;
  facts.numbers[TD_FACT_MEMORY_FREE] = obstacle.empty() ? info.free_bytes : 0;
  facts.numbers[TD_FACT_L2] = info.l2_bytes;
  facts.numbers[TD_FACT_DRIVER] = info.driver;
  facts.numbers[TD_FACT_RUNTIME] = info.runtime;
  facts.text = std::string(info.name) + "\n" + info.bus + "\n" + info.release + "\n" + obstacle;
  return facts;
}

}  // namespace td
