/*
 * The C ABI of Tandem's native library: the only header that Java sees.
 *
 * JavaCPP makes dev.tandem.runtime.Native from it, so it holds to what crosses JNI without cost: fixed-width integers,
 * handles and sizes as int64_t, and `void *` for memory, which Java passes as direct buffers (from their position on).
 * A heap buffer is refused. No function throws; none keeps a pointer unless it says so.
 */
#ifndef TANDEM_H
#define TANDEM_H

#include <stdint.h>

#define TD_API __attribute__((visibility("default")))

/* Counts up with every incompatible change of this file. The Java side refuses a library of another number. */
#define TD_ABI_VERSION 1

/* Status codes: what a function returns where it does not say otherwise. */
#define TD_OK 0
#define TD_INVALID_ARGUMENT 1

#ifdef __cplusplus
extern "C" {
#endif

/* TD_ABI_VERSION of the library itself. */
TD_API int32_t td_abi_version(void);

/*
 * Copies the message of this thread's last failure, in UTF-8 without a final NUL, into text[0, bytes), cut to fit.
 * Returns its whole length; 0 if nothing failed.
 */
TD_API int64_t td_error_message(void* text, int64_t bytes);

/* The address of memory, as an integer. */
TD_API int64_t td_address_of(const void* memory);

/* sum[i] += addend[i] for count floats. */
TD_API int32_t td_add_f32(void* sum, const void* addend, int64_t count);

#ifdef __cplusplus
}
#endif

#endif
