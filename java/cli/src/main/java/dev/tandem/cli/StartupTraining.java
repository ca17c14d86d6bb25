package dev.tandem.cli;

import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.List;
import java.util.Set;

/**
 * The training run for the start-up archive: {@code bin/tandem} runs this class once per build and
 * JDK, and the JDK records which classes were loaded and, on JDK 25, how they were linked.
 *
 * <p>All commands run in one process, since an archive comes from one process.
 */
final class StartupTraining {

  /**
   * What people do most; each line is a command as typed after {@code tandem}. Nothing that reads a
   * chat template: on JDK 25 every start loads all that is in the archive, and the 800 classes for
   * templates would cost 40 ms where none is read.
   */
  private static final List<List<String>> COMMANDS =
      List.of(
          List.of("generate", "Once upon a time", "--stats"),
          List.of("generate", "Once upon a time", "-n", "8", "--json"),
          List.of("inspect"),
          List.of("inspect", "--json"),
          List.of("tokenize", "Once upon a time"),
          List.of("--version"),
          List.of("--help"));

  private StartupTraining() {}

  /** Runs the commands; exits with 1 if one of them fails. */
  public static void main(String[] arguments) {
    OutputStream nowhere = OutputStream.nullOutputStream();
    Streams streams =
        new Streams(InputStream.nullInputStream(), nowhere, new PrintStream(nowhere), Set.of());
    for (List<String> command : COMMANDS) {
      int code = Main.run(streams, command.toArray(String[]::new));
      if (code != 0) {
        System.out.println("tandem " + String.join(" ", command) + ": exit code " + code);
        System.exit(1);
      }
    }
    System.exit(0);
  }
}
