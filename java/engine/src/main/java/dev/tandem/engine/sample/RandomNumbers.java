package dev.tandem.engine.sample;

/**
 * Random numbers from 0 to below 1: SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom
 * number generators", 2014), of which 53 bits are used. Written out so that a seed gives the same
 * text with every Java.
 */
final class RandomNumbers {

  private long state;

  RandomNumbers(long seed) {
    state = seed;
  }

  double next() {
    state += 0x9e3779b97f4a7c15L;
    long bits = state;
    bits = (bits ^ bits >>> 30) * 0xbf58476d1ce4e5b9L;
    bits = (bits ^ bits >>> 27) * 0x94d049bb133111ebL;
    bits ^= bits >>> 31;
    return (bits >>> 11) * 0x1p-53;
  }
}
