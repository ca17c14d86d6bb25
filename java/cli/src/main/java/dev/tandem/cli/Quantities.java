package dev.tandem.cli;

/**
 * Numbers for people. Written without {@link String#format}, whose first use takes 15 ms for what
 * it has to know of the world's languages: the line that announces a generation comes before it.
 */
final class Quantities {

  private static final String[] UNITS = {"", " K", " M", " B", " T"};

  private Quantities() {}

  /** {@code 1.24 B}: with three digits and a unit of thousands. */
  static String count(double value) {
    double left = value;
    int unit = 0;
    // Not 1000: what is rounded to it gets the next unit.
    while (Math.abs(left) >= 999.5 && unit < UNITS.length - 1) {
      left /= 1000;
      unit++;
    }
    int digits = unit == 0 || Math.abs(left) >= 99.95 ? 0 : Math.abs(left) >= 9.995 ? 1 : 2;
    return fixed(left, digits) + UNITS[unit];
  }

  /** With so many digits behind the point, 0 to 9. */
  static String fixed(double value, int digits) {
    long power = 1;
    for (int i = 0; i < digits; i++) {
      power *= 10;
    }
    long scaled = Math.round(Math.abs(value) * power);
    String sign = value < 0 && scaled > 0 ? "-" : "";
    if (digits == 0) {
      return sign + scaled;
    }
    String fraction = Long.toString(scaled % power);
    return sign + scaled / power + "." + "0".repeat(digits - fraction.length()) + fraction;
  }

  /** {@code 1 token}, {@code 2 tokens}. */
  static String plural(long number, String noun) {
    return number + " " + noun + (number == 1 ? "" : "s");
  }
}
