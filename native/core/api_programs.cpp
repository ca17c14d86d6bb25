// The C boundary, second part: programs, their operations and their runs.
#include "core/api_boundary.h"
#include "core/program.h"

namespace {

using namespace td;

// For all that writes a program; one thread at a time.
template <class Body>
int32_t withProgram(int64_t program, Body body) {
  return static_cast<int32_t>(guarded([&]() -> int64_t {
    const auto held = handles().get<Program>(program, "program");
    const std::lock_guard lock(held->writing());
    if constexpr (std::is_void_v<decltype(body(*held))>) {
      body(*held);
      return 0;
    } else {
      return body(*held);
    }
  }));
}

}  // namespace

extern "C" {

int64_t td_program_create(int64_t device) {
  return guarded(
      [&]() -> int64_t { return handles().add(std::make_shared<Program>(handles().get<Device>(device, "device"))); });
}

int64_t td_program_close(int64_t program) {
  return guarded([&]() -> int64_t {
    handles().close<Program>(program, "program");
    return 0;
  });
}

int32_t td_program_tensor(int64_t program, int64_t buffer, int64_t offset, int32_t type, int32_t layout, int64_t rows,
                          int64_t columns) {
  return withProgram(program, [&](Program& p) {
    const auto held = bufferOf(buffer);
    return p.tensor(*held->device, held->buffer, offset, type, layout, rows, columns);
  });
}

int32_t td_program_event(int64_t program) {
  return withProgram(program, [](Program& p) { return p.event(); });
}

int32_t td_program_stream(int64_t program, int32_t kind) {
  return withProgram(program, [&](Program& p) { return p.stream(kind); });
}

int32_t td_program_on(int64_t program, int32_t stream) {
  return withProgram(program, [&](Program& p) { p.on(stream); });
}

int32_t td_program_extent(int64_t program, int32_t count) {
  return withProgram(program, [&](Program& p) { p.extent(count); });
}

int32_t td_program_pace(int64_t program, int64_t minimumNanos) {
  return withProgram(program, [&](Program& p) { p.pace(minimumNanos); });
}

int32_t td_op_signal(int64_t program, int32_t event) {
  return withProgram(program, [&](Program& p) { return p.signal(event); });
}

int32_t td_op_wait(int64_t program, int32_t event) {
  return withProgram(program, [&](Program& p) { return p.wait(event); });
}

int32_t td_op_await(int64_t program, int32_t word, int32_t value) {
  return withProgram(program, [&](Program& p) { return p.await(word, value); });
}

int32_t td_op_embedding(int64_t program, int32_t table, int32_t ids, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.embedding(table, ids, out); });
}

int32_t td_op_rms_norm(int64_t program, int32_t x, int32_t weight, int32_t out, double epsilon) {
  return withProgram(program, [&](Program& p) { return p.rmsNorm(x, weight, out, epsilon); });
}

int32_t td_op_encode(int64_t program, int32_t x, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.encode(x, out); });
}

int32_t td_op_matmul(int64_t program, int32_t weight, int32_t x, int32_t bias, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.matmul(weight, x, bias, out); });
}

int32_t td_op_rope_angles(int64_t program, int32_t positions, int32_t frequencies, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.ropeAngles(positions, frequencies, out); });
}

int32_t td_op_rope(int64_t program, int32_t x, int32_t angles, int32_t headSize, int32_t ropeLayout) {
  return withProgram(program, [&](Program& p) { return p.rope(x, angles, headSize, ropeLayout); });
}

int32_t td_op_store_kv(int64_t program, int32_t k, int32_t v, int32_t positions, int32_t tables, int32_t blocks,
                       int32_t pool, int64_t layerOffset, int32_t headSize) {
  return withProgram(
      program, [&](Program& p) { return p.storeKv(k, v, positions, tables, blocks, pool, layerOffset, headSize); });
}

int32_t td_op_attention(int64_t program, int32_t q, int32_t positions, int32_t tables, int32_t blocks, int32_t pool,
                        int32_t out, int64_t layerOffset, int32_t headSize, int32_t kvHeads, double scale) {
  return withProgram(program, [&](Program& p) {
    return p.attention(q, positions, tables, blocks, pool, out, layerOffset, headSize, kvHeads, scale);
  });
}

int32_t td_op_gated(int64_t program, int32_t x, int32_t y, int32_t out, int32_t gate) {
  return withProgram(program, [&](Program& p) { return p.gated(x, y, out, gate); });
}

int32_t td_op_add(int64_t program, int32_t x, int32_t y, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.add(x, y, out); });
}

int32_t td_op_gather(int64_t program, int32_t x, int32_t rows, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.gather(x, rows, out); });
}

int32_t td_op_copy(int64_t program, int32_t x, int32_t out) {
  return withProgram(program, [&](Program& p) { return p.copy(x, out); });
}

int32_t td_op_adjust(int64_t program, int32_t logits, int32_t counts, int32_t ids, int32_t factors, int32_t addends) {
  return withProgram(program, [&](Program& p) { return p.adjust(logits, counts, ids, factors, addends); });
}

int32_t td_op_select(int64_t program, int32_t logits, int32_t ids, int32_t values, int32_t logSums) {
  return withProgram(program, [&](Program& p) { return p.select(logits, ids, values, logSums); });
}

int32_t td_op_pick(int64_t program, int32_t logits, int32_t values, int32_t logSums, int32_t rows, int32_t settings,
                   int32_t pickedIds, int32_t pickedValues) {
  return withProgram(
      program, [&](Program& p) { return p.pick(logits, values, logSums, rows, settings, pickedIds, pickedValues); });
}

int32_t td_program_finish(int64_t program) {
  return withProgram(program, [](Program& p) { p.finish(); });
}

int32_t td_program_run(int64_t program, int64_t flag) {
  return static_cast<int32_t>(guarded([&]() -> int64_t {
    const auto held = handles().get<Program>(program, "program");
    const auto abort = flag == 0 ? nullptr : handles().get<Flag>(flag, "flag");
    held->run(abort ? &abort->raised : nullptr);
    return 0;
  }));
}

}  // extern "C"
