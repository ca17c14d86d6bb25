#include "cuda/gpu_library.h"

#include <dlfcn.h>

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>

#include "core/status.h"
#include "cuda/gpu_device.h"

namespace td {
namespace {

// The one that the user names, or that of the file that this code was loaded from.
std::filesystem::path folder() {
  if (const char* const named = getenv("TANDEM_GPU_LIBRARIES")) return named;
  Dl_info about;
  if (dladdr(reinterpret_cast<const void*>(&folder), &about) == 0 || about.dli_fname == nullptr) return ".";
  return std::filesystem::absolute(about.dli_fname).parent_path();
}

}  // namespace

std::optional<GpuName> parseGpuName(const std::string& text) {
  const std::string_view name = text;
  const size_t colon = name.find(':');
  if (colon == name.npos) return {};
  GpuName parsed{std::string(name.substr(0, colon)), 0, {}};
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + colon + 1, end, parsed.index);
  if (error != std::errc() || parsed.index < 0) return {};
  if (rest != end) {
    if (*rest != '/') return {};
    parsed.mode = name.substr(static_cast<size_t>(rest - name.data()) + 1);
  }
  const bool known = parsed.kind == "cuda"       ? rest == end
                     : parsed.kind == "emulated" ? parsed.mode.empty() || parsed.mode == "host" || parsed.mode == "cuda"
                                                 : false;
  return known ? std::optional(parsed) : std::nullopt;
}

bool isGpuName(const std::string& name) {
  return parseGpuName(name).has_value();
}

const td_gpu_table& gpuTable(const std::string& library) {
  const std::filesystem::path file = folder() / library;
  if (std::error_code ignored; !std::filesystem::exists(file, ignored)) {
    fail(TD_UNSUPPORTED,
         "this installation has no %s: it would lie in %s; a build makes it where it finds CUDA's compiler "
         "(ci/setup --cuda, then ci/build), or install the distribution for GPUs",
         library.c_str(), file.parent_path().c_str());
  }
  // Never closed: threads of a driver may still run in it.
  void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) fail(TD_UNSUPPORTED, "%s cannot be loaded: %s", file.c_str(), dlerror());
  const auto open = reinterpret_cast<decltype(&td_gpu_open_table)>(dlsym(handle, TD_GPU_OPEN_TABLE));
  const td_gpu_table* const table = open != nullptr ? open() : nullptr;
  if (table == nullptr || table->version != TD_GPU_VERSION) {
    fail(TD_UNSUPPORTED, "%s is of another version than libtandem.so: install both anew", file.c_str());
  }
  return *table;
}

const td_gpu_table& gpuTableOf(const std::string& kind) {
  return gpuTable("libtandem_" + kind + ".so");
}

const char* gpuSettings(const std::string& kind) {
  const char* const settings = kind == "emulated" ? getenv("TANDEM_EMULATED") : nullptr;
  return settings != nullptr ? settings : "";
}

std::shared_ptr<Device> openGpuDevice(const std::string& name, const char* isa, int threads, int64_t memoryLimit) {
  const GpuName parsed = parseGpuName(name).value();
  std::string settings = gpuSettings(parsed.kind);
  if (parsed.kind == "emulated") settings.append(" threads=").append(std::to_string(threads));
  auto gpu = std::make_shared<Gpu>(name, gpuTableOf(parsed.kind), parsed.index, settings);
  const GpuMode mode = parsed.mode == "host" ? GpuMode::host : GpuMode::kernels;
  return std::make_shared<GpuDevice>(std::move(gpu), mode, chooseIsa(isa), threads, memoryLimit);
}

}  // namespace td
