package dev.tandem.acceptance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** Runs programs. */
final class Shell {

  /**
   * How a program ended.
   *
   * @param status 127 if there is no such program
   * @param output of both its streams
   */
  record Result(int status, String output) {}

  private Shell() {}

  static Result run(String... command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Result(process.waitFor(), output);
    } catch (IOException e) {
      if (e.getMessage().contains("Cannot run program")) {
        return new Result(127, e.getMessage());
      }
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
