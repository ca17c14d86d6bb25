package dev.tandem.runtime;

import java.nio.ByteBuffer;

/**
 * Memory of a device, or a window on a file. Programs that use it keep it; closing gives up this
 * handle only.
 */
public final class DeviceBuffer implements AutoCloseable {

  private final long handle;
  private final long bytes;
  private boolean closed;

  DeviceBuffer(long handle, long bytes) {
    this.handle = handle;
    this.bytes = bytes;
  }

  /** Size in bytes. */
  public long bytes() {
    return bytes;
  }

  /**
   * This memory as a direct buffer in native byte order, up to 2 GiB. It does not keep the memory:
   * nobody may use it after the buffer and all its programs are closed.
   *
   * @throws IllegalStateException for memory that the host does not reach
   */
  public ByteBuffer view() {
    long address = Calls.check(Native.td_buffer_address(handle));
    if (address == 0 && bytes > 0) {
      throw new IllegalStateException("the host does not reach the device's own memory: read it");
    }
    return HostMemory.of(address, bytes);
  }

  /** Copies the remaining bytes of a direct buffer to {@code offset}. */
  public void write(long offset, ByteBuffer source) {
    Calls.check(Native.td_buffer_write(handle, offset, direct(source), source.remaining()));
  }

  /** Copies from {@code offset} into the remaining bytes of a direct buffer. */
  public void read(long offset, ByteBuffer destination) {
    Calls.check(
        Native.td_buffer_read(handle, offset, direct(destination), destination.remaining()));
  }

  /**
   * Writes an int32 that running programs await, after all that this thread has written or has seen
   * written. Below 0 it fails those that wait.
   *
   * @param offset a multiple of 4
   */
  public void publish(long offset, int value) {
    Calls.check(Native.td_buffer_publish(handle, offset, value));
  }

  /**
   * Reads a weight matrix, or rows of one, from a file: the same type in a layout, or (vectors)
   * converted to {@link ElementType#F32}, or F16 as {@link ElementType#BF16} in tiles. Works on the
   * calling thread, also while programs run.
   *
   * @param offset where it goes in this buffer
   * @param fileOffset where it begins in the file
   * @throws RuntimeFailure if the file is shorter, or the types or shapes are not supported
   */
  public void load(
      long offset,
      WeightFile file,
      long fileOffset,
      ElementType type,
      long rows,
      long columns,
      ElementType target,
      Layout layout) {
    Calls.check(
        Native.td_tensor_load(
            file.handle(),
            fileOffset,
            type.code(),
            rows,
            columns,
            handle,
            offset,
            target.code(),
            layout.code()));
  }

  long handle() {
    return handle;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Calls.check(Native.td_buffer_close(handle));
    }
  }

  private static ByteBuffer direct(ByteBuffer buffer) {
    if (!buffer.isDirect()) {
      throw new IllegalArgumentException("a heap buffer: native code takes direct buffers only");
    }
    return buffer;
  }
}
