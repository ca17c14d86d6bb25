package dev.tandem.model.gguf;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How the files of a split model are named: {@code stem-00002-of-00005.gguf}.
 *
 * @param sibling one file of the model, whose siblings the others are
 * @param stem what their names begin with
 * @param count the number of files
 */
record SplitName(Path sibling, String stem, int count) {
  private static final Pattern PATTERN = Pattern.compile("(.*)-(\\d{5})-of-(\\d{5})\\.gguf");

  /** The name's pieces, or empty if a file is not named so. */
  static Optional<SplitName> of(Path file) {
    Matcher matcher = PATTERN.matcher(file.getFileName().toString());
    return matcher.matches()
        ? Optional.of(new SplitName(file, matcher.group(1), Integer.parseInt(matcher.group(3))))
        : Optional.empty();
  }

  /** The file of part {@code index}, counted from 0. */
  Path part(int index) {
    return sibling.resolveSibling(
        stem + "-" + digits(index + 1) + "-of-" + digits(count) + ".gguf");
  }

  /** A number as it appears in a name. */
  static String digits(long number) {
    return String.format(Locale.ROOT, "%05d", number);
  }
}
