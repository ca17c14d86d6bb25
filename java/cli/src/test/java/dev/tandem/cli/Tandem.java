package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/** Runs commands in this process, as typed after {@code tandem}. */
final class Tandem {

  private static final ObjectMapper JSON = new ObjectMapper();

  private static final long PROCESS_SECONDS = 60;

  private Tandem() {}

  /** How a command ended, and what it wrote. */
  record Result(int code, byte[] bytes, String err) {

    /** Standard output. */
    String out() {
      return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Standard output as a JSON document. */
    JsonNode json() {
      try {
        return JSON.readTree(bytes);
      } catch (JsonProcessingException e) {
        throw new AssertionError(out(), e);
      } catch (IOException e) {
        throw new AssertionError(e);
      }
    }

    String[] lines() {
      return out().split("\n", -1);
    }
  }

  static Result run(String... words) {
    return run(new byte[0], words);
  }

  static Result run(byte[] standardInput, String... words) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    return run(new ByteArrayInputStream(standardInput), out, Set.of(), words);
  }

  /**
   * On terminals, or with streams that fail; what goes to {@code out} is in the result, if it can
   * be.
   */
  static Result run(
      InputStream in, OutputStream out, Set<Streams.Kind> terminals, String... words) {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    PrintStream errors = new PrintStream(err, true, StandardCharsets.UTF_8);
    int code = Main.run(new Streams(in, out, errors, terminals), words);
    byte[] bytes = out instanceof ByteArrayOutputStream array ? array.toByteArray() : new byte[0];
    return new Result(code, bytes, err.toString(StandardCharsets.UTF_8));
  }

  /** A command in a process of its own, not yet started. */
  static ProcessBuilder process(List<String> jvmOptions, String... words) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(jvmOptions);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), "dev.tandem.cli.Main"));
    command.addAll(List.of(words));
    return new ProcessBuilder(command);
  }

  /** Runs a command in a process of its own, with further variables in its environment. */
  static Result runProcess(Map<String, String> environment, String... words) {
    ProcessBuilder builder =
        process(List.of("--enable-native-access=ALL-UNNAMED", "-Xmx256m"), words);
    builder.environment().putAll(environment);
    try {
      Path errors = Files.createTempFile("tandem-errors-", ".txt");
      try {
        Process process = builder.redirectError(errors.toFile()).start();
        process.getOutputStream().close();
        byte[] out = process.getInputStream().readAllBytes();
        if (!process.waitFor(PROCESS_SECONDS, TimeUnit.SECONDS)) {
          process.destroyForcibly();
          throw new AssertionError("still running: " + String.join(" ", words));
        }
        return new Result(process.exitValue(), out, Files.readString(errors));
      } finally {
        Files.delete(errors);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  /** Runs a command that must succeed. */
  static Result ok(String... words) {
    return ok(new byte[0], words);
  }

  static Result ok(byte[] standardInput, String... words) {
    Result result = run(standardInput, words);
    assertEquals(0, result.code(), () -> String.join(" ", words) + ": " + result.err());
    return result;
  }

  static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
