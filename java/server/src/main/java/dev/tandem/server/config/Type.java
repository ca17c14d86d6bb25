package dev.tandem.server.config;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * How the values of a setting are written: the same in the file, the environment and flags.
 *
 * @param label what the help calls a value: {@code N}
 * @param allowed what values there are, as the end of a sentence: "from 1 to 1024"
 * @param parser throws {@link IllegalArgumentException} for what is no value
 * @param printer writes a value so that the parser reads it
 */
record Type<T>(
    String label, String allowed, Function<String, T> parser, Function<T, String> printer) {

  private static final String SIZE_EXAMPLE = "a size such as 512MiB or 6GiB";
  private static final String DURATION_EXAMPLE = "a time such as 500ms, 30s, 5m or 2h";

  static Type<String> text(String label) {
    return new Type<>(label, "a text", Function.identity(), Function.identity());
  }

  static Type<Secret> secret(String label) {
    return new Type<>(label, "a text", Secret::new, Secret::toString);
  }

  static Type<Integer> wholeNumber(int least, int most) {
    return new Type<>(
        "N",
        "from " + least + " to " + most,
        text -> {
          int number = Integer.parseInt(text);
          return require(number, number >= least && number <= most);
        },
        String::valueOf);
  }

  static Type<Boolean> onOff() {
    return new Type<>(
        "true|false",
        "true or false",
        text ->
            switch (text.toLowerCase(Locale.ROOT)) {
              case "true" -> true;
              case "false" -> false;
              default -> throw new IllegalArgumentException(text);
            },
        String::valueOf);
  }

  static Type<Path> path() {
    return new Type<>(
        "FILE",
        "a path",
        text -> {
          try {
            return require(Path.of(text), text.length() > 0);
          } catch (InvalidPathException e) {
            throw new IllegalArgumentException(e);
          }
        },
        Path::toString);
  }

  /** One of a few words, in lower case. */
  static <E extends Enum<E>> Type<E> choice(String label, Class<E> words) {
    E[] constants = words.getEnumConstants();
    Function<E, String> printer = word -> word.name().toLowerCase(Locale.ROOT);
    String all = Arrays.stream(constants).map(printer).collect(Collectors.joining(", "));
    return new Type<>(
        label, "one of " + all, text -> E.valueOf(words, text.toUpperCase(Locale.ROOT)), printer);
  }

  /** Bytes, at least so many: {@code 6GiB}. */
  static Type<Long> size(long least) {
    return new Type<>(
        "SIZE",
        SIZE_EXAMPLE + ", at least " + Quantity.size(least),
        text -> {
          long bytes = Quantity.parseSize(text);
          return require(bytes, bytes >= least);
        },
        Quantity::size);
  }

  /** {@code 30s}. */
  static Type<Duration> duration(Duration least, Duration most) {
    return new Type<>(
        "TIME",
        "%s, from %s to %s"
            .formatted(DURATION_EXAMPLE, Quantity.duration(least), Quantity.duration(most)),
        text -> {
          Duration time = Quantity.parseDuration(text);
          return require(time, time.compareTo(least) >= 0 && time.compareTo(most) <= 0);
        },
        Quantity::duration);
  }

  /** Several, between commas. */
  static Type<List<String>> list(String label) {
    return new Type<>(
        label + ",...",
        "texts with commas between them",
        text ->
            Arrays.stream(text.split(","))
                .map(String::strip)
                .filter(part -> !part.isEmpty())
                .toList(),
        parts -> String.join(",", parts));
  }

  /** The same, or nothing. */
  Type<Optional<T>> orNothing() {
    return new Type<>(
        label,
        allowed,
        text -> text.isEmpty() ? Optional.empty() : Optional.of(parser.apply(text)),
        value -> value.map(printer).orElse(""));
  }

  private static <V> V require(V value, boolean allowed) {
    if (!allowed) {
      throw new IllegalArgumentException(String.valueOf(value));
    }
    return value;
  }
}
