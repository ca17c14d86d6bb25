package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class RandomNumbersTest {

  /** The generator's published first numbers for this seed, of which 53 bits are used. */
  @Test
  void isSplitMix64() {
    RandomNumbers random = new RandomNumbers(1234567);
    for (String number :
        new String[] {
          "6457827717110365317",
          "3203168211198807973",
          "9817491932198370423",
          "4593380528125082431",
          "16408922859458223821"
        }) {
      assertEquals((Long.parseUnsignedLong(number) >>> 11) * 0x1p-53, random.next());
    }
  }

  @Test
  void seedsNextToEachOtherHaveNothingInCommon() {
    double sum = 0;
    for (long seed = -5000; seed < 5000; seed++) {
      sum += new RandomNumbers(seed).next();
    }
    assertEquals(0.5, sum / 10_000, 5 * Math.sqrt(1 / 12.0 / 10_000));
  }
}
