/* What a library for GPUs gives to Tandem: memory, streams, events and copies, as a table of C functions.
 *
 * libtandem.so has no GPU in it. It opens libtandem_cuda.so where a driver is there, and finds td_gpu_table() in it; so
 * one distribution serves machines with and without a GPU. The libraries have C++ runtimes of their own: nothing but
 * plain C passes between them, and no exception.
 *
 * Conventions
 *  - Every function returns a td_gpu_status; after a failure td_gpu_table::message() has a sentence of what failed,
 * why, and what to do (one per thread).
 *  - Addresses of the device are numbers, never pointers: the host cannot read them.
 *  - A stream is a queue: what is put into it happens in order, and the function that put it there returns at once.
 *    Errors of what happens later are told by synchronize(), and by whatever is called after it.
 *  - TD_GPU_LOST is for good: every later call of the same device returns it until that is closed.
 *  - Functions may be called from any thread; those that take a stream, from one at a time for each stream.
 */
#ifndef TANDEM_CUDA_GPU_H
#define TANDEM_CUDA_GPU_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows with every change of the table. */
enum { TD_GPU_VERSION = 3 };

typedef enum td_gpu_status {
  TD_GPU_OK = 0,
  TD_GPU_OUT_OF_MEMORY = 1, /* of the device, or of pinned memory; the device goes on */
  TD_GPU_NONE = 2,          /* no driver, no such device, or one that is too old */
  TD_GPU_LOST = 3,          /* a kernel failed, or the device fell off: nothing on it can be used any more */
  TD_GPU_FAILED = 4         /* anything else; the device goes on */
} td_gpu_status;

typedef struct td_gpu_info {
  char name[256];
  char bus[32];    /* its PCI address */
  int32_t compute; /* compute capability: 75 for 7.5 */
  int32_t multiprocessors;
  int32_t copy_engines; /* copies that go on beside kernels */
  int32_t shared_bytes; /* shared memory that a block can ask for */
  int64_t memory_bytes; /* of the device */
  int64_t free_bytes;   /* of these, now, among all processes */
  int64_t l2_bytes;
  int32_t driver;   /* CUDA version that the driver knows: 13000 for 13.0 */
  int32_t runtime;  /* CUDA version that the library was built with */
  char release[32]; /* the driver's: "580.65.06"; empty where it does not say */
} td_gpu_info;

typedef enum td_gpu_direction {
  TD_GPU_TO_DEVICE = 0,
  TD_GPU_TO_HOST = 1,
  TD_GPU_WITHIN = 2 /* from device to device */
} td_gpu_direction;

typedef struct td_gpu td_gpu;
typedef struct td_gpu_stream td_gpu_stream;
typedef struct td_gpu_event td_gpu_event;

typedef struct td_gpu_table {
  int32_t version;

  /* Copies the message of this thread's last failure (NUL-ended, cut to `capacity`); returns its full length. */
  int64_t (*message)(char* text, int64_t capacity);

  /* How many devices there are. Without a driver: TD_GPU_NONE, and the message says what is missing. */
  td_gpu_status (*count)(int32_t* count);
  /* Of a device, whether or not it can be used. */
  td_gpu_status (*info)(int32_t index, td_gpu_info* info);

  /* TD_GPU_NONE for one that is too old for the kernels of this library. settings: NAME=VALUE, separated by spaces, for
   * an emulated device (docs/emulator.md); "" = the usual. */
  td_gpu_status (*open)(int32_t index, const char* settings, td_gpu** gpu);
  void (*close)(td_gpu* gpu);
  td_gpu_status (*free_bytes)(td_gpu* gpu, int64_t* bytes);

  /* Memory on the device, aligned to 256 bytes; its content is undefined. Released memory must be out of use. */
  td_gpu_status (*allocate)(td_gpu* gpu, int64_t bytes, uint64_t* address);
  td_gpu_status (*release)(td_gpu* gpu, uint64_t address);
  /* Memory of the host, pinned: copies to and from it go on beside kernels, which reach it too, at the same address.
   * Aligned to 4096 bytes; its content is undefined. (Not ordinary memory that is pinned afterwards: that has another
   * address on the device where the driver is a guest's, as under WSL2.) */
  td_gpu_status (*allocate_pinned)(td_gpu* gpu, int64_t bytes, void** memory);
  td_gpu_status (*release_pinned)(td_gpu* gpu, void* memory);

  td_gpu_status (*stream_create)(td_gpu* gpu, td_gpu_stream** stream);
  void (*stream_destroy)(td_gpu_stream* stream);
  /* Waits until all that was put into it has happened. */
  td_gpu_status (*synchronize)(td_gpu_stream* stream);

  td_gpu_status (*event_create)(td_gpu* gpu, td_gpu_event** event);
  void (*event_destroy)(td_gpu_event* event);
  td_gpu_status (*record)(td_gpu_stream* stream, td_gpu_event* event);
  /* What follows in the stream waits for the event's last record. */
  td_gpu_status (*wait)(td_gpu_stream* stream, td_gpu_event* event);
  /* The caller waits until the event's last record has happened. */
  td_gpu_status (*await)(td_gpu_event* event);
  /* Between two events that have happened. */
  td_gpu_status (*elapsed)(td_gpu_event* from, td_gpu_event* to, double* seconds);

  /* Copies; the side of the host is pinned, or the copy may wait for the stream. */
  td_gpu_status (*copy)(td_gpu_stream* stream, uint64_t to, uint64_t from, int64_t bytes, td_gpu_direction direction);
  td_gpu_status (*fill)(td_gpu_stream* stream, uint64_t address, uint8_t value, int64_t bytes);

  /* Calls a function of the host after all that is in the stream before; what follows waits for it. It must not call
   * this table, and must not throw. */
  td_gpu_status (*call)(td_gpu_stream* stream, void (*function)(void* argument), void* argument);

  /* What follows in the stream waits until the int32 in pinned memory at `address` (of the device) is `value` or more.
   */
  td_gpu_status (*await_word)(td_gpu_stream* stream, uint64_t address, int32_t value);
  /* Writes an int32 after all that is in the stream before. */
  td_gpu_status (*write_word)(td_gpu_stream* stream, uint64_t address, int32_t value);

  /* The kernels for the device: a td::GpuKernels (kernels/kernels.h). */
  const void* (*kernels)(td_gpu* gpu);
  /* What they take for a stream; to be asked before each launch, by the thread that launches. */
  td_gpu_status (*kernel_stream)(td_gpu_stream* stream, void** kernel_stream);

  /* Where the host reaches memory of an emulated device; null where there is a real one. */
  void* (*host_view)(td_gpu* gpu, uint64_t address);
} td_gpu_table;

/* The one function that such a library exports, under its name. */
const td_gpu_table* td_gpu_open_table(void);
#define TD_GPU_OPEN_TABLE "td_gpu_open_table"

#ifdef __cplusplus
}
#endif

#endif
