package dev.tandem.cli;

import dev.tandem.engine.EngineException;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.server.ServerException;
import dev.tandem.server.config.ConfigurationException;
import dev.tandem.server.security.SecurityFileException;
import dev.tandem.text.chat.ChatTemplateException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/** The command {@code tandem}. */
@Command(
    name = "tandem",
    versionProvider = Main.Version.class,
    customSynopsis = "tandem COMMAND [OPTIONS]",
    description =
        "Runs language models, larger than the GPU's memory too, at the best speed of this"
            + " machine.",
    footer = {
      "",
      "Try:",
      "  tandem generate \"Once upon a time\"      a story from the built-in model",
      "  tandem generate -m model.gguf \"Hello\"   any GGUF model of the Llama family",
      "  tandem chat -m model.gguf               talks with a model",
      "  tandem serve -m model.gguf              the same for programs and browsers",
      "  tandem inspect -m model.gguf            what is in a model, and what it costs",
      "",
      "'tandem COMMAND --help' tells more.",
      "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    })
public final class Main implements Callable<Integer> {

  private static final int FAILED = 1;
  private static final int USAGE = 2;
  private static final String SERVE = "serve";
  private static final List<String> HELP = List.of("help", "-h", "--help");

  private static final Map<String, Class<?>> COMMANDS = new LinkedHashMap<>();

  static {
    COMMANDS.put("generate", GenerateCommand.class);
    COMMANDS.put("chat", ChatCommand.class);
    COMMANDS.put(SERVE, ServeCommand.class);
    COMMANDS.put("inspect", InspectCommand.class);
    COMMANDS.put("tokenize", TokenizeCommand.class);
    COMMANDS.put("template", TemplateCommand.class);
    COMMANDS.put("logits", LogitsCommand.class);
    COMMANDS.put("perplexity", PerplexityCommand.class);
    COMMANDS.put("bench", BenchCommand.class);
    COMMANDS.put("devices", DevicesCommand.class);
    COMMANDS.put("completion", CompletionCommand.class);
    COMMANDS.put("synth", SynthCommand.class);
    COMMANDS.put("docs", DocsCommand.class);
  }

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help.")
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the version.")
  private boolean version;

  @Option(
      names = "--verbose",
      scope = ScopeType.INHERIT,
      description = "Show where an error came from.")
  private boolean verbose;

  @Spec private CommandSpec spec;
  private final Streams streams;

  private Main(Streams streams) {
    this.streams = streams;
  }

  /** Runs the command and exits with its code. */
  public static void main(String[] arguments) {
    System.exit(run(Streams.ofProcess(), arguments));
  }

  /** Runs the command and returns its exit code. */
  static int run(Streams streams, String... arguments) {
    String[] words = helpAsOption(arguments);
    Main main = new Main(streams);
    Collection<String> commands = commands(words);
    // The list of all commands needs no flags.
    CommandLine line = line(main, commands, commands.equals(List.of(SERVE)));
    StringWriter help = new StringWriter();
    line.setOut(new PrintWriter(help))
        .setErr(new PrintWriter(streams.err(), true))
        .setColorScheme(
            CommandLine.Help.defaultColorScheme(
                streams.isColoured(Streams.Kind.OUT) ? Ansi.ON : Ansi.OFF))
        .setUsageHelpLongOptionsMaxWidth(30)
        .setExpandAtFiles(false) // a prompt may begin with @
        .setCaseInsensitiveEnumValuesAllowed(true)
        .registerConverter(Path.class, Words::path)
        .registerConverter(Integer.class, Words::wholeNumber)
        .registerConverter(int.class, Words::wholeNumber)
        .registerConverter(Long.class, Words::longNumber)
        .registerConverter(long.class, Words::longNumber)
        .registerConverter(double.class, Words::number)
        .setParameterExceptionHandler(
            (problem, unused) -> main.usage(Words.of(problem), problem.getCommandLine()))
        .setExecutionExceptionHandler((failure, command, unused) -> main.failed(failure, command));
    try {
      int code = line.execute(words);
      streams.print(help.toString());
      return code;
    } catch (RuntimeException | Error e) {
      return main.failed(e, line); // no library for this machine, no memory ...
    }
  }

  /** All commands, for what tells of them. */
  static CommandLine all(Streams streams) {
    return line(new Main(streams), COMMANDS.keySet(), true);
  }

  private static CommandLine line(Main main, Collection<String> commands, boolean withServeFlags) {
    CommandLine line = new CommandLine(main, new Factory(main.streams));
    commands.forEach(name -> line.addSubcommand(name, COMMANDS.get(name)));
    if (withServeFlags) {
      ServeFlags.addTo(line.getSubcommands().get(SERVE).getCommandSpec());
    }
    layOutHelp(line);
    return line;
  }

  /**
   * The command that is asked for alone, and only if none is all of them: making one out of its
   * annotations takes some 10 ms at a start. The version is told without any.
   */
  private static Collection<String> commands(String[] words) {
    if (words.length == 1 && (words[0].equals("--version") || words[0].equals("-V"))) {
      return List.of();
    }
    Optional<String> asked = Arrays.stream(words).filter(word -> !word.startsWith("-")).findFirst();
    return asked
        .filter(COMMANDS::containsKey)
        .<Collection<String>>map(List::of)
        .orElse(COMMANDS.keySet());
  }

  private static void layOutHelp(CommandLine line) {
    line.getCommandSpec()
        .usageMessage()
        .descriptionHeading("%n")
        .parameterListHeading("%nArguments:%n")
        .optionListHeading("%nOptions:%n")
        .commandListHeading("%nCommands:%n");
    line.getSubcommands().values().forEach(Main::layOutHelp);
  }

  /** {@code tandem help generate} as {@code tandem generate --help}, and so with -h in front. */
  private static String[] helpAsOption(String[] arguments) {
    if (arguments.length == 0 || !HELP.contains(arguments[0])) {
      return arguments;
    }
    String[] words = Arrays.copyOfRange(arguments, 1, arguments.length + 1);
    words[words.length - 1] = "--help";
    return words;
  }

  @Override
  public Integer call() {
    return missing(streams, spec.commandLine());
  }

  /** Without a command there is nothing to do but to show them. */
  static int missing(Streams streams, CommandLine line) {
    streams.note("tandem: a command is missing\n");
    line.usage(streams.err(), Ansi.OFF);
    return USAGE;
  }

  private int usage(String message, CommandLine command) {
    streams.note("tandem: " + message);
    streams.note("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    return USAGE;
  }

  /** One clear line; the stack trace only on request, or for what nobody expected. */
  private int failed(Throwable failure, CommandLine command) {
    if (failure instanceof Streams.ClosedException) {
      return 0;
    }
    Optional<String> message = message(failure);
    if (verbose || message.isEmpty()) {
      failure.printStackTrace(streams.err());
    }
    if (failure instanceof Failure f && f.isUsage()) {
      return usage(f.getMessage(), command);
    }
    streams.note("tandem: " + message.orElseGet(() -> "internal error: " + failure));
    return FAILED;
  }

  /** What to say of a failure that can happen to anybody; empty for a defect. */
  private static Optional<String> message(Throwable failure) {
    return switch (failure) {
      case Failure e -> Optional.of(e.getMessage());
      case ModelFormatException e -> Optional.of(e.getMessage());
      case EngineException e -> Optional.of(e.getMessage());
      case RuntimeFailure e -> Optional.of(e.getMessage());
      case ChatTemplateException e -> Optional.of(e.getMessage());
      case ConfigurationException e -> Optional.of(e.getMessage());
      case SecurityFileException e -> Optional.of(e.getMessage());
      case ServerException e -> Optional.of(e.getMessage());
      case UncheckedIOException e -> Optional.of(e.getMessage());
      case IOException e -> Optional.of(String.valueOf(e.getMessage()));
      case OutOfMemoryError e ->
          Optional.of("the Java heap is full (" + e.getMessage() + "): JDK_JAVA_OPTIONS=-Xmx4g");
      case UnsatisfiedLinkError e -> Optional.of(e.getMessage());
      default -> Optional.empty();
    };
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
