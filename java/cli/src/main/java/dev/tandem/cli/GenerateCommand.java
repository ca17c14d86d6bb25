package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.program.StepBlock;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.model.Model;
import dev.tandem.text.TokenBuffer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tandem generate}: continues a text. */
@Command(
    name = "generate",
    customSynopsis = "tandem generate [OPTIONS] [PROMPT]",
    description = {
      "Continues a text.",
      "",
      "Prints the prompt and what the model adds to it, as it comes, to standard output, and all"
          + " else to standard error."
    },
    footer = {
      "",
      "Examples:",
      "  tandem generate \"There was once a brave fox\"",
      "  tandem generate -m model.gguf -f prompt.txt -n 200 --temp 0 --stats",
      "  echo \"The capital of France is\" | tandem generate -m model.gguf -n 8 --json"
    })
final class GenerateCommand implements Callable<Integer> {

  private static final int UNTIL_END = -1;
  // Tokens that a large model may need seconds for: their bar comes at once.
  private static final int LONG_PROMPT = 64;

  private final Streams streams;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;
  @Mixin private SamplingArguments sampling;

  @Parameters(
      arity = "0..1",
      paramLabel = "PROMPT",
      description = "The text to continue. Default: -f, else standard input.")
  private Optional<String> argument = Optional.empty();

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "PROMPT",
      description = "The same as the argument.")
  private Optional<String> option = Optional.empty();

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description =
          "Read the prompt from a file. As from standard input, a line end that closes it is left"
              + " out.")
  private Optional<Path> file = Optional.empty();

  @Option(
      names = {"-n", "--predict"},
      paramLabel = "N",
      description =
          "Most tokens to generate. Default: ${DEFAULT-VALUE}, until the model ends its text or the"
              + " context is full.",
      defaultValue = "-1")
  private int predict;

  @Option(
      names = {"-c", "--ctx-size"},
      paramLabel = "N",
      description =
          "Tokens that prompt and answer can have together. Default: what the model was trained"
              + " for, at most 8192, as far as memory allows.")
  private Optional<Integer> context = Optional.empty();

  @Option(
      names = "--stop",
      paramLabel = "TEXT",
      description = "End before this text, which is not printed. May be given several times.")
  private List<String> stop = List.of();

  @Option(
      names = "--logprobs",
      paramLabel = "N",
      description =
          "With --json: the logarithm of each token's probability, and the N likeliest tokens in"
              + " its place.",
      defaultValue = "-1")
  private int logProbs;

  @Option(
      names = "--special",
      description = "Read the names of special tokens in the prompt as those tokens.")
  private boolean special;

  @Option(
      names = "--no-display-prompt",
      description = "Print only what the model adds to the prompt.")
  private boolean hidePrompt;

  @Option(names = "--stats", description = "Tell speed and memory when done.")
  private boolean stats;

  @Option(names = "--json", description = "Print one JSON document when done, instead of the text.")
  private boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "Say nothing on standard error but errors.")
  private boolean quiet;

  GenerateCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    checkPromptIsNamedOnce();
    checkLogProbabilities();
    SamplingOptions typed = sampling.options();
    int most = mostTokens();
    EngineOptions engine = engine();
    long started = System.nanoTime();
    Model opened = Model.open(model.file());
    long openNanos = System.nanoTime() - started;
    SamplingArguments.check(typed, opened);
    String prompt = prompt();
    warn(opened);
    started = System.nanoTime();
    try (ProgressBar loading = new ProgressBar(streams, "loading", !quiet);
        TandemModel loaded = TandemModel.load(opened, engine, loading::update);
        Session session = loaded.newSession()) {
      loading.hide();
      GenerationOptions options =
          new GenerationOptions(
              most, sampling.of(typed, loaded), sampling.ignoreEos(), stop, logProbs);
      GenerationReport report =
          new GenerationReport(loaded, options.sampling(), openNanos + System.nanoTime() - started);
      if (!quiet) {
        streams.note(report.headline());
      }
      return generate(loaded, session, prompt, options, report);
    }
  }

  private int generate(
      TandemModel loaded,
      Session session,
      String prompt,
      GenerationOptions options,
      GenerationReport report) {
    int[] tokens = tokens(loaded, prompt);
    Output output = new Output(json || hidePrompt ? "" : prompt);
    if (tokens.length >= LONG_PROMPT) {
      output.reading.show(0, tokens.length);
    }
    // Closed when all is said: then the process may end.
    try (Interrupt interrupt = new Interrupt(session::cancel);
        output) {
      Generation generation = output.collect(session, tokens, options);
      if (json) {
        streams.print(
            Json.text(
                report.document(
                    prompt,
                    tokens,
                    output.text.toString(StandardCharsets.UTF_8),
                    output.ids.toArray(),
                    output.probabilities,
                    generation)));
      }
      if (stats || interrupt.happened() && !quiet) {
        streams.note(report.statistics(generation));
      }
      return interrupt.happened() ? Interrupt.EXIT_CODE : 0;
    }
  }

  /** Prints or collects what is generated, and shows how far the prompt is read. */
  private final class Output implements GenerationListener, AutoCloseable {
    private final ProgressBar reading = new ProgressBar(streams, "reading the prompt", !quiet);
    private final TokenBuffer ids = new TokenBuffer();
    private final List<TokenProbabilities> probabilities = new ArrayList<>();
    private final ByteArrayOutputStream text = new ByteArrayOutputStream();
    private final String before;
    private boolean printed;

    /** A text that goes before what is generated. */
    Output(String before) {
      this.before = before;
    }

    Generation collect(Session session, int[] tokens, GenerationOptions options) {
      try {
        return session.generate(tokens, options, this);
      } finally {
        if (printed && !json && streams.isTerminal(Streams.Kind.OUT)) {
          streams.print("\n"); // so that what follows begins a line; a file gets the text alone
        }
      }
    }

    @Override
    public void prompt(int read, int total) {
      reading.update(read, total);
      if (read == total) {
        reading.hide(); // it stood on the line where the text begins
        streams.print(before);
        printed = true;
      }
    }

    @Override
    public void token(int id) {
      if (json) {
        ids.add(id);
      }
    }

    @Override
    public void probabilities(TokenProbabilities ofToken) {
      probabilities.add(ofToken);
    }

    @Override
    public void text(byte[] utf8, int offset, int length) {
      if (json) {
        text.write(utf8, offset, length);
      } else {
        streams.write(utf8, offset, length);
      }
    }

    @Override
    public void close() {
      reading.close();
    }
  }

  private void checkPromptIsNamedOnce() {
    long named = argument.stream().count() + option.stream().count() + file.stream().count();
    if (named > 1) {
      throw Failure.usage("the prompt is named twice: choose one of PROMPT, -p and -f");
    }
  }

  private void checkLogProbabilities() {
    if (logProbs < GenerationOptions.NONE || logProbs > StepBlock.CANDIDATES) {
      throw Failure.value("--logprobs", logProbs, "from 0 to " + StepBlock.CANDIDATES);
    }
    if (logProbs != GenerationOptions.NONE && !json) {
      throw Failure.usage("--logprobs goes into the JSON document: add --json");
    }
  }

  private String prompt() {
    Optional<String> named = argument.or(() -> option);
    return named.orElseGet(() -> withoutLineEnd(new TextInput(streams).text(file)));
  }

  /** Editors and {@code echo} end a text by a line end that is not meant to be continued. */
  private static String withoutLineEnd(String text) {
    if (!text.endsWith("\n")) {
      return text;
    }
    return text.substring(0, text.length() - (text.endsWith("\r\n") ? 2 : 1));
  }

  private int[] tokens(TandemModel loaded, String prompt) {
    TokenBuffer tokens = new TokenBuffer();
    tokens.addAll(loaded.tokenizer().beginTokens());
    tokens.addAll(loaded.tokenizer().encode(prompt, special));
    if (tokens.size() == 0) {
      throw new Failure(
          "the prompt is empty, and this model has no token that begins a text: give a prompt");
    }
    return tokens.toArray();
  }

  private int mostTokens() {
    if (predict < UNTIL_END) {
      throw Failure.value("-n", predict, "from 0 on, or -1 until the text ends");
    }
    return predict == UNTIL_END ? GenerationOptions.UNLIMITED : predict;
  }

  private EngineOptions engine() {
    EngineOptions options = run.engine();
    if (context.isEmpty()) {
      return options;
    }
    if (context.get() < 1) {
      throw Failure.value("-c", context.get(), "at least 1 token");
    }
    return options.withKvTokens(context.get());
  }

  private void warn(Model opened) {
    int trained = opened.graph().hyperparameters().trainedContext();
    if (!quiet && context.orElse(0) > trained) {
      streams.note(
          "tandem: -c %d is more than the %d tokens that this model was trained for: expect poor text beyond"
              .formatted(context.get(), trained));
    }
  }
}
