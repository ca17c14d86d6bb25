package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Locale;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Numbers for people. */
class QuantitiesTest {

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "1, 1",
    "999, 999",
    "999.4, 999",
    "999.5, 1.00 K",
    "1000, 1.00 K",
    "1234, 1.23 K",
    "9994, 9.99 K",
    "9995, 10.0 K",
    "12345, 12.3 K",
    "99949, 99.9 K",
    "99950, 100 K",
    "999499, 999 K",
    "999500, 1.00 M",
    "3500288, 3.50 M",
    "1.24e9, 1.24 B",
    "7e13, 70.0 T",
    "5e15, 5000 T",
    "-1500, -1.50 K"
  })
  void countsHaveThreeDigits(double value, String text) {
    assertEquals(text, Quantities.count(value));
  }

  @Test
  void fixedIsWhatFormatSays() {
    long seed = 20;
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < 10_000; i++) {
      int digits = random.nextInt(5);
      // Halves of the last digit apart, which binary fractions only nearly are.
      double value = (random.nextInt(2_000_000) - 1_000_000 + 0.25) / Math.pow(10, digits);
      String expected = String.format(Locale.ROOT, "%." + digits + "f", value);
      assertEquals(
          expected.matches("-0(\\.0*)?") ? expected.substring(1) : expected,
          Quantities.fixed(value, digits),
          () -> "seed " + seed);
    }
    assertEquals("0.05", Quantities.fixed(0.05, 2));
    assertEquals("1.00", Quantities.fixed(0.999, 2));
  }

  @Test
  void nounsHaveAPlural() {
    assertEquals(
        "0 tokens, 1 token, 2 tokens",
        Quantities.plural(0, "token")
            + ", "
            + Quantities.plural(1, "token")
            + ", "
            + Quantities.plural(2, "token"));
  }
}
