package dev.tandem.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What is known of a GPU of this machine, whether or not it can be used.
 *
 * @param device the name that opens it: {@code cuda:0}
 * @param name what its maker calls it
 * @param bus its PCI address; empty for an emulated one
 * @param driverRelease {@code 580.65.06}; empty where the driver does not say
 * @param compute compute capability: 75 for 7.5; 0 for an emulated one
 * @param copyEngines copies that go on beside kernels
 * @param freeBytes of its memory, now, among all processes; 0 if it cannot be used
 * @param driver CUDA version that the driver knows: 13000 for 13.0; 0 for an emulated one
 * @param runtime CUDA version that the library for it was built with
 * @param obstacle why it cannot be used
 */
public record Gpu(
    String device,
    String name,
    String bus,
    String driverRelease,
    int compute,
    int multiprocessors,
    int copyEngines,
    long memoryBytes,
    long freeBytes,
    long l2Bytes,
    int driver,
    int runtime,
    Optional<String> obstacle) {

  private static final int TEXT_BYTES = 2048;

  /** Who makes GPUs: libraries of their own know them. */
  public enum Kind {
    /** NVIDIA's. */
    CUDA("cuda"),
    /** Played by the host. */
    EMULATED("emulated");

    private final String prefix;

    Kind(String prefix) {
      this.prefix = prefix;
    }

    /** What the names of its devices begin with: {@code cuda}. */
    public String prefix() {
      return prefix;
    }
  }

  /**
   * All of a kind.
   *
   * @throws RuntimeFailure naming what is missing: the library, the driver, or a newer one
   */
  public static List<Gpu> all(Kind kind) {
    int count = Calls.check(Native.td_gpu_count(Calls.text(kind.prefix())));
    List<Gpu> gpus = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      gpus.add(of(kind.prefix() + ":" + i));
    }
    return gpus;
  }

  /**
   * One by its name: {@code cuda:0}, {@code emulated:0}.
   *
   * @throws RuntimeFailure if there is none of this name
   */
  public static Gpu of(String device) {
    ByteBuffer numbers =
        ByteBuffer.allocateDirect(Long.BYTES * Native.TD_FACTS).order(ByteOrder.nativeOrder());
    ByteBuffer text = ByteBuffer.allocateDirect(TEXT_BYTES);
    long length =
        Calls.check(Native.td_gpu_describe(Calls.text(device), numbers, text, TEXT_BYTES));
    text.limit((int) Math.min(length, TEXT_BYTES - 1));
    String[] lines = StandardCharsets.UTF_8.decode(text).toString().split("\n", 4);
    return new Gpu(
        device,
        lines[0],
        lines[1],
        lines[2],
        (int) fact(numbers, Native.TD_FACT_COMPUTE),
        (int) fact(numbers, Native.TD_FACT_MULTIPROCESSORS),
        (int) fact(numbers, Native.TD_FACT_COPY_ENGINES),
        fact(numbers, Native.TD_FACT_MEMORY),
        fact(numbers, Native.TD_FACT_MEMORY_FREE),
        fact(numbers, Native.TD_FACT_L2),
        (int) fact(numbers, Native.TD_FACT_DRIVER),
        (int) fact(numbers, Native.TD_FACT_RUNTIME),
        fact(numbers, Native.TD_FACT_USABLE) == 1 ? Optional.empty() : Optional.of(lines[3]));
  }

  private static long fact(ByteBuffer numbers, int fact) {
    return numbers.getLong(fact * Long.BYTES);
  }
}
