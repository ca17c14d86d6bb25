package dev.tandem.runtime;

/** What bounds a kernel, or a copy: see {@link Device#limit}. */
public enum Limit {
  /** Bytes read from memory that no cache holds, on pages as buffers have them. */
  READ(Native.TD_LIMIT_READ),
  /** The same on the system's smallest pages. */
  READ_SMALL_PAGES(Native.TD_LIMIT_READ_SMALL_PAGES),
  /** fp32 multiplications and additions. */
  F32(Native.TD_LIMIT_F32),
  /** Those of int8 dot products. */
  INT8(Native.TD_LIMIT_INT8),
  /** Those of bf16 dot products. */
  BF16(Native.TD_LIMIT_BF16),
  /** Bytes read and bytes written, together, by copies within a GPU's memory. */
  COPY(Native.TD_LIMIT_COPY),
  /** Bytes copied from pinned memory of the host to a GPU. */
  TO_DEVICE(Native.TD_LIMIT_TO_DEVICE),
  /** And back. */
  TO_HOST(Native.TD_LIMIT_TO_HOST);

  private final int code;

  Limit(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
