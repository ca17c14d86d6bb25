package dev.tandem.model.format;

/**
 * A fast generator whose numbers are the same on every machine and every Java version: SplitMix64
 * (Steele, Lea and Flood, <a href="https://doi.org/10.1145/2660193.2660195">Fast Splittable
 * Pseudorandom Number Generators</a>, 2014). Not for secrets, and not for several threads.
 */
public final class RandomBits {
  private static final long GOLDEN = 0x9E3779B97F4A7C15L;

  private long state;

  /** A generator; equal seeds give equal numbers. */
  public RandomBits(long seed) {
    state = mix(seed + GOLDEN);
  }

  /** A generator for one named thing among those that share a seed. */
  public RandomBits(long seed, String name) {
    this(seed + GOLDEN * name.hashCode());
  }

  /** The next 64 bits. */
  public long next() {
    state += GOLDEN;
    return mix(state);
  }

  /** The next number in {@code [0, bound)}, for bounds far below 2^32. */
  public int below(int bound) {
    return (int) ((next() >>> 32) * bound >>> 32);
  }

  /** The next number in {@code [-1, 1)}. */
  public float symmetric() {
    return (int) next() * 0x1p-31f;
  }

  private static long mix(long bits) {
    long mixed = (bits ^ (bits >>> 30)) * 0xBF58476D1CE4E5B9L;
    mixed = (mixed ^ (mixed >>> 27)) * 0x94D049BB133111EBL;
    return mixed ^ (mixed >>> 31);
  }
}
