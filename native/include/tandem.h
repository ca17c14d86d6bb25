/* Tandem's native interface: the only header that Java sees.
 *
 * Java decides, native code computes. Java opens devices, fills buffers, writes a *program* (a flat list of operations
 * on streams, joined by events) once, and runs it with one call per step. Everything that varies from step to step lies
 * in memory that the operations read: the step block.
 *
 * Conventions
 *  - A handle is a positive int64. It names one object until that is closed; a stale or foreign handle is an
 *    error, never a crash. Objects in use by others (a buffer in a program) live on until their users are closed.
 *  - Every function returns a value >= 0 (a handle, an index, a size, or 0), or the negative of a td_status.
 *    td_error_message() then has a sentence that names the thing, the value and the remedy (one per thread).
 *  - Texts are UTF-8, ended by NUL. Sizes and offsets are bytes unless the name says otherwise.
 *  - Tensors are row-major: `rows` rows of `columns` elements. Types carry GGUF's identifiers.
 *  - A device's handles may be used from any thread; runs of programs on one device follow one another.
 */
#ifndef TANDEM_H
#define TANDEM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* Grows with every incompatible change of this header; the Java side refuses any other. */
enum td_version { TD_ABI_VERSION = 4 };

enum td_status {
  TD_OK = 0,
  TD_INVALID_ARGUMENT = 1, /* a value is out of its range, a shape does not fit, a handle is stale */
  TD_OUT_OF_MEMORY = 2,    /* the device's limit or the machine's memory would be exceeded */
  TD_ABORTED = 3,          /* the flag given to the run was set */
  TD_FILE_CHANGED = 4,     /* a mapped file shrank, or could not be read, while it was in use */
  TD_NOT_FINITE = 5,       /* NaN or infinity among the logits */
  TD_IO = 6,               /* the operating system refused a file */
  TD_UNSUPPORTED = 7,      /* a type, an instruction set or a device that this build does not have */
  TD_INTERNAL = 8,         /* a defect of Tandem */
  TD_INTERRUPTED = 9,      /* what a run awaited will not come: see td_op_await() */
  TD_DEVICE_LOST = 10      /* a GPU failed for good, and what it holds is gone; a real one needs a new process */
};

/* Element types; those of weights have GGUF's identifiers. */
enum td_type {
  TD_F32 = 0,
  TD_F16 = 1,
  TD_Q4_0 = 2,
  TD_Q4_1 = 3,
  TD_Q8_0 = 8,
  TD_Q4_K = 12,
  TD_Q6_K = 14,
  TD_I32 = 26,
  TD_F64 = 28,
  TD_BF16 = 30,
  TD_ACT8 = 1000,   /* activations as int8 with a scale per 32 (see core/activation.h) */
  TD_ACTBF16 = 1001 /* activations as bf16 */
};

/* How the rows of a weight matrix lie in memory. */
enum td_layout {
  TD_PLAIN = 0, /* as in the file: row after row */
  TD_TILES = 1  /* 16 rows interleaved, block by block (see core/tiles.h): what the kernels like */
};

/* Where the two halves of a rotated pair lie. */
enum td_rope_layout {
  TD_ROPE_NORM = 0, /* pairs are neighbours: (0,1), (2,3) ... */
  TD_ROPE_NEOX = 1  /* pairs are half a rotation apart: (0,n/2), (1,n/2+1) ... */
};

enum td_gate { TD_GATE_SILU = 0 };

enum td_stream_kind {
  TD_STREAM_COMPUTE = 0, /* the device's compute units; on the CPU the whole thread pool */
  TD_STREAM_COPY = 1     /* copies that overlap with compute; on the CPU one thread of its own */
};

enum td_property {
  TD_PROPERTY_THREADS = 0,
  TD_PROPERTY_MEMORY_USED = 1,  /* bytes allocated now, by buffers and as work memory of programs */
  TD_PROPERTY_MEMORY_PEAK = 2,  /* most bytes allocated at any time */
  TD_PROPERTY_MEMORY_LIMIT = 3, /* 0: none */
  TD_PROPERTY_ISA = 4,          /* td_isa */
  TD_PROPERTY_MEMORY_KIND = 5   /* td_memory_kind */
};

/* Whose memory it is that buffers of a device take. */
enum td_memory_kind {
  TD_MEMORY_HOST = 0, /* the host's */
  TD_MEMORY_OWN = 1,  /* the device's */
  TD_MEMORY_LENT = 2  /* the device's, for which an emulated one takes the host's */
};

enum td_isa {
  TD_ISA_SCALAR = 0,
  TD_ISA_AVX2 = 1,
  TD_ISA_AVX512 = 2,
  TD_ISA_AMX = 3,
  TD_ISA_GPU = 4 /* of a device whose kernels are those for GPUs; nothing that td_device_open() takes */
};

/* What bounds a kernel, or a copy, see td_device_limit(). */
enum td_limit {
  TD_LIMIT_READ = 0,             /* bytes read from memory that no cache holds, on pages as buffers have them */
  TD_LIMIT_READ_SMALL_PAGES = 1, /* the same on the system's smallest pages */
  TD_LIMIT_F32 = 2,              /* fp32 multiplications and additions */
  TD_LIMIT_INT8 = 3,             /* those of int8 dot products, by the instructions that matmul uses */
  TD_LIMIT_BF16 = 4,             /* those of bf16 dot products */
  TD_LIMIT_COPY = 5,             /* bytes read and bytes written, together, by copies within a GPU's memory */
  TD_LIMIT_TO_DEVICE = 6,        /* bytes copied from pinned memory of the host to a GPU */
  TD_LIMIT_TO_HOST = 7           /* and back */
};

/* What there is to know of a GPU: where each number stands among those that td_gpu_describe() writes. */
enum td_gpu_fact {
  TD_FACT_USABLE = 0,  /* 1: td_device_open() can open it */
  TD_FACT_COMPUTE = 1, /* compute capability: 75 for 7.5; 0 of an emulated device */
  TD_FACT_MULTIPROCESSORS = 2,
  TD_FACT_COPY_ENGINES = 3, /* copies that go on beside kernels */
  TD_FACT_MEMORY = 4,       /* bytes */
  TD_FACT_MEMORY_FREE = 5,  /* of these, now, among all processes; 0 of one that cannot be used */
  TD_FACT_L2 = 6,           /* bytes */
  TD_FACT_DRIVER = 7,       /* CUDA version that the driver knows: 13000 for 13.0; 0 of an emulated device */
  TD_FACT_RUNTIME = 8,      /* CUDA version that the library was built with */
  TD_FACTS = 9              /* how many there are */
};

/* A block of KV cache holds this many positions of one sequence. */
enum td_limits { TD_KV_BLOCK_TOKENS = 16, TD_ATTENTION_PIECE = 256, TD_MAX_CANDIDATES = 256, TD_TILE_ROWS = 16 };

/* The settings of a draw, see td_op_pick(): where each stands in its row. */
enum td_pick_setting {
  TD_PICK_TOP_K = 0,               /* keep so many of the best; 0 = all */
  TD_PICK_TYPICAL = 1,             /* keep the most typical ones up to this probability; from 1 on = all */
  TD_PICK_TOP_P = 2,               /* keep the best ones up to this probability; from 1 on = all */
  TD_PICK_MIN_P = 3,               /* keep what has at least this part of the best one's probability; 0 = all */
  TD_PICK_INVERSE_TEMPERATURE = 4, /* the logits' factor: finite, not negative */
  TD_PICK_UNIFORM = 5,             /* the random number, 0 <= u < 1 */
  TD_PICK_SETTINGS = 6             /* how many there are */
};

int32_t td_abi_version(void);

/* Copies the message of this thread's last failure (NUL-ended, cut to `capacity`); returns its full length. */
int64_t td_error_message(void* text, int64_t capacity);

/* ---- Devices --------------------------------------------------------------------------------- */

/* Opens a device by name: "cpu", "cuda:0", or a GPU that is played by the host, with memory, streams and copies of its
 * own: "emulated:0/cuda" (or "emulated:0") with the kernels for GPUs, "emulated:0/host" with the CPU's. isa: the
 * instruction set for the kernels ("scalar", "avx2", "avx512", "amx"), or "" for the best that this machine has (AMX
 * only by its name: it has not been measured yet). threads: of the pool, the calling thread of a run included;
 * >= 1. memory_limit: bytes that buffers may take; 0 = no limit, or of a GPU what is free but for its driver's share.
 */
int64_t td_device_open(const void* name, const void* isa, int32_t threads, int64_t memory_limit);
int64_t td_device_close(int64_t device);
int64_t td_device_property(int64_t device, int32_t property);

/* Measures, with all threads of the device, what this machine can do at most: bytes or operations per second, for about
 * so many milliseconds (1 to 10,000). A multiplication and an addition are two operations. Reading takes 512 MiB of the
 * device's memory meanwhile, a GPU's copies at most that. kind: td_limit; TD_UNSUPPORTED where the device has no such
 * operation. A GPU's reading is what its copies read and write. */
int64_t td_device_limit(int64_t device, int32_t kind, int32_t milliseconds);

/* ---- GPUs ------------------------------------------------------------------------------------ */

/* How many GPUs there are of a kind, "cuda" or "emulated", whether or not they can be used. TD_UNSUPPORTED where there
 * is no driver or no library for them: the message says what is missing. */
int32_t td_gpu_count(const void* kind);
/* What is known of one: "cuda:0", "emulated:0". facts: TD_FACTS int64. text: four lines, NUL-ended, cut to `capacity`:
 * what it is called, its PCI address, the driver's release, and why it cannot be used; each may be empty. Returns the
 * text's full length. */
int64_t td_gpu_describe(const void* name, void* facts, void* text, int64_t capacity);

/* The type in which matmul on this device wants its activations for weights of `weight_type`: TD_F32, TD_ACT8 or
 * TD_ACTBF16. TD_UNSUPPORTED for a type that is none of weights. */
int32_t td_activation_type(int64_t device, int32_t weight_type);

/* The work memory that a program on this device takes is the largest need among its operations (on a GPU: among those
 * of each stream); these are the needs. All others need none. Bytes; 0 or more. */
int64_t td_work_bytes_of_matmul(int64_t device, int32_t weight_type, int32_t layout, int64_t columns);
int64_t td_work_bytes_of_attention(int64_t device, int32_t heads, int32_t kv_heads, int32_t head_size);
/* rows: the most that a step can have. */
int64_t td_work_bytes_of_select(int64_t device, int64_t rows, int64_t vocabulary);
int64_t td_work_bytes_of_pick(int64_t device, int64_t rows, int64_t vocabulary);

/* ---- Files ----------------------------------------------------------------------------------- */

/* Opens a file for reading weights: td_tensor_load() reads from it, td_buffer_of_file() maps it. */
int64_t td_file_open(const void* path);
int64_t td_file_close(int64_t file);
int64_t td_file_size(int64_t file);

/* ---- Buffers --------------------------------------------------------------------------------- */

/* Bytes of a tensor in a type and layout (tiles are padded to 16 rows). */
int64_t td_tensor_bytes(int32_t type, int32_t layout, int64_t rows, int64_t columns);

/* Memory on the device, zero-filled, taken from the machine page by page as it is touched. */
int64_t td_buffer_create(int64_t device, int64_t bytes);
/* The same in memory of the host that the device reaches too, without a copy: for what varies from step to step, and
 * the counts that td_program_extent() names. */
int64_t td_buffer_create_shared(int64_t device, int64_t bytes);
/* A read-only window on a file, for weights in plain layout: its pages are mapped, shared with other processes and read
 * on demand. A mapped file that shrinks does not kill the process: the run that meets the hole fails with
 * TD_FILE_CHANGED, and so does every later one that uses the file. Only the CPU reads such a buffer. */
int64_t td_buffer_of_file(int64_t device, int64_t file, int64_t offset, int64_t bytes);
int64_t td_buffer_close(int64_t buffer);
/* The address of a buffer in host memory (0 for memory that the host cannot reach). */
int64_t td_buffer_address(int64_t buffer);
int64_t td_buffer_write(int64_t buffer, int64_t offset, const void* source, int64_t bytes);
int64_t td_buffer_read(int64_t buffer, int64_t offset, void* destination, int64_t bytes);
/* Writes an int32 for td_op_await() into memory that the host reaches: atomically, and after all that this thread has
 * written, or has seen written. The offset is a multiple of 4. */
int64_t td_buffer_publish(int64_t buffer, int64_t offset, int32_t value);

/* Reads a weight matrix from a file into a buffer: the same type in `layout`, or converted to TD_F32 in plain layout
 * (vectors: norms, biases), or TD_F16 rounded to TD_BF16 in tiles (--fast-f16). Works on the calling thread, with some
 * rows' worth of memory (256 KiB, or 16 rows), beside whatever the device runs; several threads may load parts of a
 * matrix, cut at multiples of 16 rows. A matrix that does not lie in the file, or does not fit the buffer, is refused
 * before anything is written. */
int64_t td_tensor_load(int64_t file, int64_t file_offset, int32_t type, int64_t rows, int64_t columns, int64_t buffer,
                       int64_t buffer_offset, int32_t target_type, int32_t layout);

/* ---- Flags ----------------------------------------------------------------------------------- */

/* A flag that aborts the run it is given to, at the next chunk of work (under 100 us of computing each). It stays set
 * until cleared. */
int64_t td_flag_create(void);
int64_t td_flag_close(int64_t flag);
int64_t td_flag_set(int64_t flag);
int64_t td_flag_clear(int64_t flag);

/* ---- Programs -------------------------------------------------------------------------------- */

/* A program is written by appending operations; each goes to the stream that was named last, takes its extent from the
 * count that was named last, and lasts at least the time that was named last. Then td_program_finish() checks and seals
 * it. */
int64_t td_program_create(int64_t device);
int64_t td_program_close(int64_t program);

/* Declares a tensor in a buffer of the program's device, for use as an operand. Activations are declared with as many
 * rows as a step can have. Rows and columns are below 2^31; the address is a multiple of the element's size (of 4 for
 * encoded activations, of 2 for quantised weights); on GPUs of 16 for weights and activations of matmul, of 8 for what
 * rope_angles and attention write. Returns its index in this program. */
int32_t td_program_tensor(int64_t program, int64_t buffer, int64_t offset, int32_t type, int32_t layout, int64_t rows,
                          int64_t columns);
/* Declares an event; returns its index in this program. */
int32_t td_program_event(int64_t program);

/* The following operations go to this stream of the device. Operations of one stream run in the order of the list;
 * different streams run at the same time unless events order them. Index 0 is the compute stream, which exists from the
 * start. */
int32_t td_program_stream(int64_t program, int32_t kind);
int32_t td_program_on(int64_t program, int32_t stream);
/* The following operations compute as many rows as the int32 in `count` says when they start (a tensor of type TD_I32;
 * in memory that the host reaches; on the CPU it may have been written by an earlier operation: such an
 * operation is *indirect*). */
int32_t td_program_extent(int64_t program, int32_t count);
/* The following operations take at least this long each: 0 = as fast as they can (pacing, for studies and tests). */
int32_t td_program_pace(int64_t program, int64_t minimum_nanos);

int32_t td_op_signal(int64_t program, int32_t event);
int32_t td_op_wait(int64_t program, int32_t event);

/* Waits until an int32 in memory is `value` or more: how far the host has come with what the following operations read.
 * td_buffer_publish() writes it, and only upwards; below 0 it says that the rest will not come, and the run fails with
 * TD_INTERRUPTED. word: i32 [1, 1]. Does nothing in a run whose extent is 0. */
int32_t td_op_await(int64_t program, int32_t word, int32_t value);

/* Operations. Operands are indices of tensors; `-1` where one is optional. f32 unless said otherwise; R = the extent.
 */

/* out[r] = table[ids[r]], decoded. ids: i32 [R]. */
int32_t td_op_embedding(int64_t program, int32_t table, int32_t ids, int32_t out);
/* out[r] = x[r] / sqrt(mean(x[r]^2) + epsilon) * weight. weight: [1, columns]. */
int32_t td_op_rms_norm(int64_t program, int32_t x, int32_t weight, int32_t out, double epsilon);
/* Encodes activations for matmul: out has type TD_ACT8 or TD_ACTBF16. */
int32_t td_op_encode(int64_t program, int32_t x, int32_t out);
/* out[r] = weight . x[r] (+ bias). x in the type that td_activation_type() names; encoded types are what td_op_encode()
 * wrote, and nothing else: they hold indices. */
int32_t td_op_matmul(int64_t program, int32_t weight, int32_t x, int32_t bias, int32_t out);
/* out[r] = cos and sin of position[r] * frequency[i], as pairs. positions: i32 [R], frequencies: f64 [1, n/2], out: [R,
 * n]. */
int32_t td_op_rope_angles(int64_t program, int32_t positions, int32_t frequencies, int32_t out);
/* Rotates, in place, the first n of every head's elements. x: [R, heads * head_size], angles: [R, n]. */
int32_t td_op_rope(int64_t program, int32_t x, int32_t angles, int32_t head_size, int32_t rope_layout);
/* Writes keys and values of R tokens into the paged cache, as f16. k, v: [R, kv_heads * head_size]. Token r has
 * position positions[r] of the sequence whose block table starts at blocks[tables[r]]. See core/kv_layout.h for the
 * layout of a block. */
int32_t td_op_store_kv(int64_t program, int32_t k, int32_t v, int32_t positions, int32_t tables, int32_t blocks,
                       int32_t pool, int64_t layer_offset, int32_t head_size);
/* Causal attention over the paged cache. q, out: [R, heads * head_size]; head h reads KV head h / (heads / kv_heads).
 */
int32_t td_op_attention(int64_t program, int32_t q, int32_t positions, int32_t tables, int32_t blocks, int32_t pool,
                        int32_t out, int64_t layer_offset, int32_t head_size, int32_t kv_heads, double scale);
/* out = gate(x) * y, element by element. */
int32_t td_op_gated(int64_t program, int32_t x, int32_t y, int32_t out, int32_t gate);
/* out = x + y. */
int32_t td_op_add(int64_t program, int32_t x, int32_t y, int32_t out);
/* out[r] = x[rows[r]]. rows: i32 [R]. */
int32_t td_op_gather(int64_t program, int32_t x, int32_t rows, int32_t out);
/* Copies R rows byte by byte; x and out have the same type and columns. */
int32_t td_op_copy(int64_t program, int32_t x, int32_t out);
/* Penalties and biases, in place: for each i below counts[r], one after another, with l = logits[r][ids[r][i]],
 *   l = (l > 0 ? l / factor : l * factor) + addend
 * for factors[r][i], finite and above 0, and addends[r][i], not NaN; cut to the finite numbers of f32, so that an
 * addend of -infinity bans a token and +infinity forces it. A logit that is not finite stays what it is, for
 * td_op_select() to find. counts: i32 [R, 1], ids: i32 [R, n], factors, addends: [R, n]. */
int32_t td_op_adjust(int64_t program, int32_t logits, int32_t counts, int32_t ids, int32_t factors, int32_t addends);
/* Ends a step: per row of logits the best candidates (by logit, then by the lower id), best first, and the logarithm of
 * the sum of all exponentials. ids: i32 [R, k], values: [R, k], log_sums: [R, 1]; k <= TD_MAX_CANDIDATES; where the
 * vocabulary is smaller, the rest of the ids is -1 and of the values -infinity. A logit that is not finite fails the
 * run with TD_NOT_FINITE. On GPUs log_sums lies in memory that the host reaches. */
int32_t td_op_select(int64_t program, int32_t logits, int32_t ids, int32_t values, int32_t log_sums);
/* Draws R tokens, each from a whole row of logits that has been through td_op_select(): drops what its settings say,
 * and takes one of the rest with probabilities proportional to e^(logit * inverse temperature). For draws that need
 * more than the candidates; where those suffice, whoever computes as docs/sampling.md says gets the same token from
 * them. rows: i32 [R, 1], settings: f64 [R, TD_PICK_SETTINGS], picked_ids: i32 [R, 1], picked_values: [R, 1], their
 * logits; values and log_sums are what td_op_select() wrote for all rows. With settings that drop tokens, a chunk of
 * work is a whole row: up to some milliseconds for 100,000 logits. */
int32_t td_op_pick(int64_t program, int32_t logits, int32_t values, int32_t log_sums, int32_t rows, int32_t settings,
                   int32_t picked_ids, int32_t picked_values);

/* Checks the whole program and seals it. */
int32_t td_program_finish(int64_t program);
/* Runs it once; returns when all its streams are done. flag: a flag's handle, or 0. */
int32_t td_program_run(int64_t program, int64_t flag);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
