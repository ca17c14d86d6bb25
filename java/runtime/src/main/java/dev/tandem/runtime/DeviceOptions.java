package dev.tandem.runtime;

/**
 * How to open a device.
 *
 * @param name {@code cpu}, {@code cuda:0}, {@code emulated:0/host}
 * @param instructionSet {@code scalar}, {@code avx2}, {@code avx512}, {@code amx}; empty = the
 *     machine's best, AMX left out
 * @param threads threads that compute, the caller of a run included
 * @param memoryLimitBytes what buffers may take; 0 = no limit
 */
public record DeviceOptions(
    String name, String instructionSet, int threads, long memoryLimitBytes) {

  /** The CPU with its best instruction set and no memory limit. */
  public static DeviceOptions cpu(int threads) {
    return new DeviceOptions("cpu", "", threads, 0);
  }

  public DeviceOptions withName(String device) {
    return new DeviceOptions(device, instructionSet, threads, memoryLimitBytes);
  }

  public DeviceOptions withInstructionSet(String name) {
    return new DeviceOptions(this.name, name, threads, memoryLimitBytes);
  }

  public DeviceOptions withMemoryLimit(long bytes) {
    return new DeviceOptions(name, instructionSet, threads, bytes);
  }
}
