package dev.tandem.cli;

import java.util.Locale;

/** Numbers for people. */
final class Quantities {

  private Quantities() {}

  /** {@code 1.24 B}: with three digits and a unit of thousands. */
  static String count(double value) {
    String[] units = {"", " K", " M", " B", " T"};
    int unit = 0;
    while (Math.abs(value) >= 1000 && unit < units.length - 1) {
      value /= 1000;
      unit++;
    }
    int digits = unit == 0 ? 0 : value >= 100 ? 0 : value >= 10 ? 1 : 2;
    return String.format(Locale.ROOT, "%." + digits + "f%s", value, units[unit]);
  }
}
