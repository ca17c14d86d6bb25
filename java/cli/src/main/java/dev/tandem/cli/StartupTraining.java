package dev.tandem.cli;

import java.io.OutputStream;
import java.io.PrintStream;
import java.util.List;

/**
 * The training run for the start-up archive: {@code bin/tandem} runs this class once per build and
 * JDK, and the JDK records which classes were loaded and, on JDK 25, how they were linked.
 *
 * <p>All commands run in one process, since an archive comes from one process.
 */
final class StartupTraining {

  /** What people do most; each line is a command as typed after {@code tandem}. */
  private static final List<List<String>> COMMANDS =
      List.of(List.of("--version"), List.of("--help"));

  private StartupTraining() {}

  /** Runs the commands; exits with 1 if one of them fails. */
  public static void main(String[] arguments) {
    PrintStream stdout = System.out;
    System.setOut(new PrintStream(OutputStream.nullOutputStream()));
    for (List<String> command : COMMANDS) {
      int code = Main.run(command.toArray(String[]::new));
      if (code != 0) {
        stdout.println("tandem " + String.join(" ", command) + ": exit code " + code);
        System.exit(1);
      }
    }
    System.exit(0);
  }
}
