package dev.tandem.engine.calibrate;

import dev.tandem.runtime.Device;
import dev.tandem.runtime.Limit;
import java.util.Collection;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Set;

/**
 * What the machine can do at most, as far as it has been seen: the median of samples that are taken
 * between the measurements that they are compared with, since it varies from minute to minute.
 */
public final class MachineLimits {

  private static final int MILLISECONDS = 60;

  private final Device device;
  private final Map<Limit, Samples> samples = new EnumMap<>(Limit.class);
  private final Set<Limit> wanted;
  private Limit pages = Limit.READ;

  /** Of all kinds that bound kernels. */
  public MachineLimits(Device device) {
    this(device, EnumSet.range(Limit.READ, Limit.BF16));
  }

  /**
   * Of reading, of fp32, and of some other kinds: each costs a sixteenth of a second per sample,
   * reading half a second.
   */
  public MachineLimits(Device device, Collection<Limit> others) {
    this.device = device;
    this.wanted = EnumSet.of(Limit.READ, Limit.READ_SMALL_PAGES, Limit.F32);
    this.wanted.addAll(others);
  }

  /** Measures each once more. */
  public void sample() {
    for (Limit limit : wanted) {
      device
          .limit(limit, MILLISECONDS)
          .ifPresent(v -> samples.computeIfAbsent(limit, l -> new Samples()).add(v));
    }
  }

  /** Whether the device, once sampled, has told any: an emulated one has none. */
  public boolean areKnown() {
    return !samples.isEmpty();
  }

  /** Bytes or operations per second; empty for what the machine does not have. */
  public OptionalDouble of(Limit limit) {
    Samples seen = samples.get(limit);
    return seen == null ? OptionalDouble.empty() : OptionalDouble.of(seen.median());
  }

  /** Tells whether the weights lie on the system's smallest pages or on larger ones. */
  public void useSmallPages(boolean small) {
    pages = small ? Limit.READ_SMALL_PAGES : Limit.READ;
  }

  /** Which reading the weights are limited by. */
  public Limit pages() {
    return pages;
  }

  /** Bytes per second that can be read on the pages that the weights lie on, if that is known. */
  public OptionalDouble memory() {
    return of(pages);
  }

  /**
   * The limit of arithmetic: fp32's where the instruction set has no instructions for the kind;
   * empty on GPUs, whose arithmetic is not measured.
   */
  public OptionalDouble arithmetic(Limit limit) {
    OptionalDouble own = of(limit);
    return own.isPresent() ? own : of(Limit.F32);
  }
}
