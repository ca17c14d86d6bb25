package dev.tandem.cli;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Texts that people give in a file or on standard input: UTF-8. */
final class TextInput {

  private final Streams streams;

  TextInput(Streams streams) {
    this.streams = streams;
  }

  /** The text of a file, or of standard input if none is named. */
  String text(Optional<Path> file) {
    return decode(bytes(file), name(file));
  }

  /** The bytes of a file, or of standard input if none is named. */
  byte[] bytes(Optional<Path> file) {
    if (file.isEmpty() && streams.isTerminal(Streams.Kind.IN)) {
      streams.note("Type the text; Ctrl-D on a new line ends it.");
    }
    try {
      return file.isPresent() ? Files.readAllBytes(file.get()) : streams.in().readAllBytes();
    } catch (IOException e) {
      throw file.map(path -> Failure.of(path, e))
          .orElseGet(() -> new Failure("standard input cannot be read: " + e.getMessage()));
    }
  }

  /**
   * Decodes UTF-8. What is none becomes U+FFFD, since one wrong byte in a long text should stop
   * nobody, and is told.
   *
   * @param name what to call the text
   */
  String decode(byte[] bytes, String name) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    CharBuffer out = CharBuffer.allocate(bytes.length);
    CoderResult result = StandardCharsets.UTF_8.newDecoder().decode(in, out, true);
    if (!result.isError()) {
      return out.flip().toString();
    }
    streams.note(
        "tandem: %s: byte %d is not UTF-8; such bytes are read as U+FFFD"
            .formatted(name, in.position()));
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /** What to call a file, or standard input. */
  static String name(Optional<Path> file) {
    return file.map(Path::toString).orElse("standard input");
  }
}
