package dev.tandem.server.config;

import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Sizes and times as people write them. */
public final class Quantity {

  private static final Pattern NUMBER_AND_UNIT =
      Pattern.compile("(\\d{1,18})(\\.\\d{1,3})? ?([a-zA-Z]*)");

  private static final Map<String, Long> BYTES =
      Map.of("", 1L, "B", 1L, "KiB", 1L << 10, "MiB", 1L << 20, "GiB", 1L << 30, "TiB", 1L << 40);

  private static final Map<String, Long> MILLIS =
      Map.of("ms", 1L, "s", 1000L, "m", 60_000L, "h", 3_600_000L);

  private Quantity() {}

  /**
   * {@code 1.5GiB} in bytes. Units are binary alone: whether GB is a power of two is not agreed.
   *
   * @throws IllegalArgumentException if it is no size
   */
  public static long parseSize(String text) {
    return parse(text, BYTES);
  }

  /**
   * {@code 1.5s}.
   *
   * @throws IllegalArgumentException if it is no time
   */
  static Duration parseDuration(String text) {
    return text.equals("0") ? Duration.ZERO : Duration.ofMillis(parse(text, MILLIS));
  }

  private static long parse(String text, Map<String, Long> units) {
    Matcher parts = NUMBER_AND_UNIT.matcher(text);
    if (!parts.matches() || !units.containsKey(parts.group(3))) {
      throw new IllegalArgumentException(text);
    }
    long unit = units.get(parts.group(3));
    try {
      long whole = Math.multiplyExact(Long.parseLong(parts.group(1)), unit);
      String fraction = parts.group(2);
      return fraction == null
          ? whole
          : Math.addExact(whole, (long) (Double.parseDouble(fraction) * unit));
    } catch (ArithmeticException e) {
      throw new IllegalArgumentException(text, e);
    }
  }

  /** With the largest unit that leaves a whole number. */
  static String size(long bytes) {
    String[] units = {"", "KiB", "MiB", "GiB", "TiB"};
    long left = bytes;
    int unit = 0;
    while (left != 0 && left % 1024 == 0 && unit < units.length - 1) {
      left /= 1024;
      unit++;
    }
    return left + units[unit];
  }

  /** With the largest unit that leaves a whole number. */
  static String duration(Duration time) {
    long millis = time.toMillis();
    if (millis == 0) {
      return "0s";
    }
    for (String unit : new String[] {"h", "m", "s"}) {
      if (millis % MILLIS.get(unit) == 0) {
        return millis / MILLIS.get(unit) + unit;
      }
    }
    return millis + "ms";
  }
}
