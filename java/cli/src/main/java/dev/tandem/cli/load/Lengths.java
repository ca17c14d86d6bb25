package dev.tandem.cli.load;

import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Lengths in tokens, each as likely as the others.
 *
 * @param least at least 1
 * @param most at least {@code least}
 */
public record Lengths(int least, int most) {

  private static final Pattern TEXT = Pattern.compile("(\\d{1,8})(?:-(\\d{1,8}))?");

  /** Rejects an empty range. */
  public Lengths {
    if (least < 1 || most < least) {
      throw new IllegalArgumentException(
          "%d-%d tokens are no lengths; lengths are 128 or 64-256".formatted(least, most));
    }
  }

  /** {@code 128} or {@code 64-256}. */
  public static Lengths parse(String text) {
    Matcher matcher = TEXT.matcher(text);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "'" + text + "' is no length; lengths are 128 or 64-256 tokens");
    }
    int least = Integer.parseInt(matcher.group(1));
    return new Lengths(
        least, matcher.group(2) == null ? least : Integer.parseInt(matcher.group(2)));
  }

  int draw(RandomGenerator random) {
    return random.nextInt(least, most + 1);
  }
}
