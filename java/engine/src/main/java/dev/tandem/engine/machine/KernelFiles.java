package dev.tandem.engine.machine;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/** Small text files of the kernel under a root folder; what cannot be read is absent. */
record KernelFiles(Path root) {

  /** The content without surrounding white space. */
  Optional<String> text(String path) {
    try {
      return Optional.of(Files.readString(root.resolve(path)).strip());
    } catch (IOException | UncheckedIOException e) {
      return Optional.empty();
    }
  }

  Stream<String> lines(String path) {
    return text(path).stream().flatMap(String::lines);
  }

  /** A file that holds one number. */
  OptionalLong number(String path) {
    return text(path).map(KernelFiles::parse).orElse(OptionalLong.empty());
  }

  /** The number behind a name at the start of a line, times a unit. */
  OptionalLong field(String path, String name, long unit) {
    return lines(path)
        .filter(line -> line.startsWith(name))
        .map(line -> parse(line.substring(name.length()).strip().split("\\s+")[0]))
        .filter(OptionalLong::isPresent)
        .mapToLong(number -> number.getAsLong() * unit)
        .findFirst();
  }

  static OptionalLong parse(String text) {
    try {
      return OptionalLong.of(Long.parseLong(text));
    } catch (NumberFormatException e) {
      return OptionalLong.empty();
    }
  }
}
