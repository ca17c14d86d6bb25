package dev.tandem.runtime;

import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * A device: memory with a hard limit, and programs that it runs. Nothing above this package asks
 * which one it is. Safe for use from many threads; runs of programs on one device follow one
 * another.
 */
public final class Device implements AutoCloseable {

  private final String name;
  private final long handle;
  private final int threads;
  private final String instructionSet;
  private boolean closed;

  private Device(String name, long handle) {
    this.name = name;
    this.handle = handle;
    // What reports ask for, also of one that has been closed.
    threads = (int) property(Native.TD_PROPERTY_THREADS);
    instructionSet = nameOf((int) property(Native.TD_PROPERTY_ISA));
  }

  /**
   * Opens a device.
   *
   * @throws RuntimeFailure if it does not exist or this machine lacks the instruction set
   */
  public static Device open(DeviceOptions options) {
    return new Device(
        options.name(),
        Calls.check(
            Native.td_device_open(
                Calls.text(options.name()),
                Calls.text(options.instructionSet()),
                options.threads(),
                options.memoryLimitBytes())));
  }

  /** As it was opened: {@code cpu}, {@code cuda:0}, {@code emulated:0/host}. */
  public String name() {
    return name;
  }

  /** Threads that compute. */
  public int threads() {
    return threads;
  }

  /** The instruction set of the kernels: {@code avx512}. */
  public String instructionSet() {
    return instructionSet;
  }

  private static String nameOf(int instructionSet) {
    return switch (instructionSet) {
      case Native.TD_ISA_AMX -> "amx";
      case Native.TD_ISA_AVX512 -> "avx512";
      case Native.TD_ISA_AVX2 -> "avx2";
      default -> "scalar";
    };
  }

  /** Whether buffers lie in memory of its own, apart from the host's. */
  public boolean hasOwnMemory() {
    return property(Native.TD_PROPERTY_MEMORY_KIND) != Native.TD_MEMORY_HOST;
  }

  /** Whether buffers take memory of the host: those of an emulated device do. */
  public boolean takesHostMemory() {
    return property(Native.TD_PROPERTY_MEMORY_KIND) != Native.TD_MEMORY_OWN;
  }

  /** Bytes that buffers and programs take now. */
  public long memoryUsed() {
    return property(Native.TD_PROPERTY_MEMORY_USED);
  }

  /** The most bytes that buffers and programs took at any time. */
  public long memoryPeak() {
    return property(Native.TD_PROPERTY_MEMORY_PEAK);
  }

  /** The most bytes that buffers and programs may take; empty = whatever the machine has. */
  public OptionalLong memoryLimit() {
    long limit = property(Native.TD_PROPERTY_MEMORY_LIMIT);
    return limit == 0 ? OptionalLong.empty() : OptionalLong.of(limit);
  }

  /**
   * Measures what this machine can do at most, with all threads: bytes or operations per second. A
   * multiplication and an addition are two operations. Reading takes 512 MiB of the device's memory
   * meanwhile.
   *
   * @param milliseconds how long to measure, 1 to 10,000
   * @return empty where the instruction set has no such operation
   */
  public OptionalDouble limit(Limit limit, int milliseconds) {
    long result = Native.td_device_limit(handle, limit.code(), milliseconds);
    return result == -Native.TD_UNSUPPORTED
        ? OptionalDouble.empty()
        : OptionalDouble.of(Calls.check(result));
  }

  /** The type in which matmul wants its activations for weights of this type. */
  public ElementType activationType(ElementType weights) {
    return ElementType.of(Calls.check(Native.td_activation_type(handle, weights.code())));
  }

  /** Bytes of work memory that a program with such a matmul needs. */
  public long workBytesOfMatMul(ElementType weights, Layout layout, long columns) {
    return Calls.check(
        Native.td_work_bytes_of_matmul(handle, weights.code(), layout.code(), columns));
  }

  /** Bytes of work memory that a program with such an attention needs. */
  public long workBytesOfAttention(int heads, int kvHeads, int headSize) {
    return Calls.check(Native.td_work_bytes_of_attention(handle, heads, kvHeads, headSize));
  }

  /**
   * Bytes of work memory that a program with such a select needs.
   *
   * @param rows most rows of logits that a step can have
   */
  public long workBytesOfSelect(int rows, int vocabulary) {
    return Calls.check(Native.td_work_bytes_of_select(handle, rows, vocabulary));
  }

  /**
   * Bytes of work memory that a program with such a pick needs.
   *
   * @param rows most draws of a run
   */
  public long workBytesOfPick(int rows, int vocabulary) {
    return Calls.check(Native.td_work_bytes_of_pick(handle, rows, vocabulary));
  }

  /**
   * Memory on the device, zero-filled, taken from the machine page by page as it is touched.
   *
   * @throws RuntimeFailure beyond the memory limit
   */
  public DeviceBuffer allocate(long bytes) {
    return new DeviceBuffer(Calls.check(Native.td_buffer_create(handle, bytes)), bytes);
  }

  /**
   * The same in memory of the host that the device reaches too: its {@link DeviceBuffer#view} is
   * what programs see.
   *
   * @throws RuntimeFailure beyond the memory limit
   */
  public DeviceBuffer allocateShared(long bytes) {
    return new DeviceBuffer(Calls.check(Native.td_buffer_create_shared(handle, bytes)), bytes);
  }

  /** A read-only window on a file, whose pages are mapped, for weights in plain layout. */
  public DeviceBuffer window(WeightFile file, long offset, long bytes) {
    return new DeviceBuffer(
        Calls.check(Native.td_buffer_of_file(handle, file.handle(), offset, bytes)), bytes);
  }

  /** An empty program for this device. */
  public ProgramWriter newProgram() {
    return new ProgramWriter(Calls.check(Native.td_program_create(handle)));
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Calls.check(Native.td_device_close(handle));
    }
  }

  private long property(int property) {
    return Calls.check(Native.td_device_property(handle, property));
  }
}
