package dev.tandem.cli;

import dev.tandem.engine.EngineException;
import dev.tandem.model.ModelFormatException;
import dev.tandem.runtime.RuntimeFailure;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.util.Arrays;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The command {@code tandem}. */
@Command(
    name = "tandem",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    description =
        "Runs language models, larger than the GPU's memory too, at the best speed of this"
            + " machine.",
    footer = {
      "",
      "Try:",
      "  tandem generate \"Once upon a time\"           a story from the built-in model",
      "  tandem generate -m model.gguf -f prompt.txt   any GGUF model of the Llama family",
      "  tandem inspect -m model.gguf                  what is in a model, and what it costs",
      "",
      "'tandem COMMAND --help' tells more. Exit codes: 0 done, 1 failed, 2 wrong usage, 130"
          + " interrupted."
    },
    subcommands = {
      GenerateCommand.class,
      InspectCommand.class,
      TokenizeCommand.class,
      LogitsCommand.class,
      BenchCommand.class,
      SynthCommand.class
    })
public final class Main implements Runnable {

  static final int FAILED = 1;
  static final int USAGE = 2;

  @Spec private CommandSpec spec;

  /** Runs the command and exits with its code. */
  public static void main(String[] arguments) {
    System.exit(run(Streams.ofProcess(), arguments));
  }

  /** Runs the command and returns its exit code. */
  static int run(Streams streams, String... arguments) {
    CommandLine line =
        new CommandLine(new Main(), new Factory(streams))
            .setOut(new PrintWriter(streams.out(), true, StandardCharsets.UTF_8))
            .setErr(new PrintWriter(streams.err(), true, StandardCharsets.UTF_8))
            .setUsageHelpAutoWidth(true)
            .setUsageHelpLongOptionsMaxWidth(30)
            .setExpandAtFiles(false) // a prompt may begin with @
            .setParameterExceptionHandler((problem, unused) -> usage(streams, problem))
            .setExecutionExceptionHandler(
                (failure, command, unused) -> failed(streams, failure, arguments));
    try {
      return line.execute(arguments);
    } catch (Error e) {
      return failed(streams, e, arguments); // no library for this machine, no memory ...
    }
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "a command is missing");
  }

  private static int usage(Streams streams, ParameterException problem) {
    CommandLine command = problem.getCommandLine();
    streams.note("tandem: " + problem.getMessage());
    CommandLine.UnmatchedArgumentException.printSuggestions(
        problem, new PrintWriter(streams.err(), true));
    streams.note("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return USAGE;
  }

  /** One clear line; the stack trace only on request, or for what nobody expected. */
  private static int failed(Streams streams, Throwable failure, String[] arguments) {
    if (failure instanceof Streams.ClosedException) {
      return 0;
    }
    Optional<String> message = message(failure);
    streams.note("tandem: " + message.orElseGet(() -> "internal error: " + failure));
    if (message.isEmpty() || Arrays.asList(arguments).contains("--verbose")) {
      failure.printStackTrace(streams.err());
    }
    return FAILED;
  }

  /** What to say of a failure that can happen to anybody; empty for a defect. */
  private static Optional<String> message(Throwable failure) {
    return switch (failure) {
      case ModelFormatException e -> Optional.of(e.getMessage());
      case EngineException e -> Optional.of(e.getMessage());
      case RuntimeFailure e -> Optional.of(e.getMessage());
      case FailureException e -> Optional.of(e.getMessage());
      case UncheckedIOException e -> message(e.getCause());
      case NoSuchFileException e -> Optional.of(e.getFile() + ": no such file");
      case AccessDeniedException e -> Optional.of(e.getFile() + ": may not be read or written");
      case FileSystemException e -> Optional.of(e.getMessage());
      case OutOfMemoryError e -> Optional.of("the Java heap is full: " + e.getMessage());
      case UnsatisfiedLinkError e -> Optional.of(e.getMessage());
      default -> Optional.empty();
    };
  }

  /** A command cannot do what it was asked for; the message names what, why and what to do. */
  static final class FailureException extends RuntimeException {
    private static final long serialVersionUID = 1;

    FailureException(String message) {
      super(message);
    }
  }

  /** Makes commands: one that asks for it is given the streams. */
  private record Factory(Streams streams) implements CommandLine.IFactory {
    @Override
    public <K> K create(Class<K> type) throws Exception {
      try {
        return type.getDeclaredConstructor(Streams.class).newInstance(streams);
      } catch (NoSuchMethodException e) {
        return CommandLine.defaultFactory().create(type);
      }
    }
  }

  /** The version that the build wrote into the jar's manifest. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version =
          Optional.ofNullable(Main.class.getPackage().getImplementationVersion())
              .orElse("(not packaged)");
      return new String[] {"tandem " + version};
    }
  }
}
