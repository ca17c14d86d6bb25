package dev.tandem.cli;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Optional;

/** Lines of standard input as they come: from a pipe, or from a terminal that can do no more. */
final class LineInput implements ChatInput {

  private final Streams streams;
  private final String prompt;
  private final BufferedReader in;

  /**
   * Reads standard input.
   *
   * @param prompt goes before each line, on standard error; may be empty
   */
  LineInput(Streams streams, String prompt) {
    this.streams = streams;
    this.prompt = prompt;
    in = new BufferedReader(new InputStreamReader(streams.in(), StandardCharsets.UTF_8));
  }

  @Override
  public Optional<String> next() {
    streams.err().print(prompt);
    streams.err().flush();
    try {
      String line = in.readLine();
      if (line == null) {
        return Optional.empty();
      }
      StringBuilder text = new StringBuilder(line);
      while (ChatInput.isContinued(line)) {
        text.setCharAt(text.length() - 1, '\n');
        line = in.readLine();
        if (line == null) {
          break;
        }
        text.append(line);
      }
      return Optional.of(text.toString());
    } catch (IOException e) {
      throw new Failure("standard input cannot be read: " + e.getMessage());
    }
  }

  @Override
  public void close() {}
}
