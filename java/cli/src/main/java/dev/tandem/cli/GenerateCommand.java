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
import dev.tandem.text.chat.ChatTemplate;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

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
      "  tandem generate -m model.gguf --chat \"Why is the sky blue?\"",
      "  echo \"The capital of France is\" | tandem generate -m model.gguf -n 8 --json",
      "  tandem generate --connect localhost:8077 --chat \"Why is the sky blue?\""
    })
final class GenerateCommand implements Callable<Integer> {

  // Tokens that a large model may need seconds for: their bar comes at once.
  private static final int LONG_PROMPT = 64;

  private final Streams streams;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;
  @Mixin private LossOptions loss;
  @Mixin private LengthOptions length;
  @Mixin private SamplingArguments sampling;
  @Mixin private ChatArguments conversation;
  @Mixin private ConnectOptions connect;
  @Spec private CommandSpec spec;

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
      names = "--logprobs",
      paramLabel = "N",
      description =
          "With --json: the logarithm of each token's probability, and the N likeliest tokens in"
              + " its place.")
  private Optional<Integer> logProbs = Optional.empty();

  @Option(
      names = "--chat",
      description = {
        "Take the prompt for a message of the user, and print the model's answer alone. Without it"
            + " a line on standard error tells of a model's chat template, unless one of -q, --json"
            + " and --special is there."
      })
  private boolean chat;

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
    int probabilities = logProbabilities();
    checkChat();
    SamplingOptions typed = sampling.options();
    int most = length.mostTokens();
    List<String> stop = length.stop();
    if (connect.isWanted(spec.commandLine().getParseResult())) {
      return remote(typed, most, stop, probabilities).run();
    }
    EngineOptions engine = loss.in(length.engine(run));
    long started = System.nanoTime();
    Model opened = Model.open(model.file());
    long openNanos = System.nanoTime() - started;
    SamplingArguments.check(typed, opened);
    ChatTemplate template = conversation.template(opened, streams);
    String prompt = prompt();
    if (!quiet) {
      length.warning(opened).ifPresent(streams::note);
      hint(opened, template).ifPresent(streams::note);
    }
    started = System.nanoTime();
    try (ProgressBar loading = new ProgressBar(streams, "loading", !quiet);
        TandemModel loaded = TandemModel.load(opened, engine, loading::updateToTheEnd);
        Session session = loaded.newSession()) {
      GenerationOptions options =
          new GenerationOptions(
              most, sampling.of(typed, loaded), sampling.ignoreEos(), stop, probabilities);
      GenerationReport report =
          new GenerationReport(loaded, options.sampling(), started - openNanos);
      if (!quiet) {
        streams.note(report.headline());
      }
      int[] tokens =
          chat
              ? conversation.tokens(
                  conversation.prompts(template, model.file(), loaded.tokenizer()), prompt)
              : tokens(loaded, prompt);
      int code = generate(session, prompt, tokens, options, report);
      if (!quiet) {
        loss.tell(loaded, streams);
      }
      return code;
    }
  }

  /** The same, done by a server. */
  private RemoteGenerate remote(
      SamplingOptions typed, int most, List<String> stop, int probabilities) {
    return RemoteGenerate.of(
        streams,
        connect.client(streams),
        new GenerationOptions(most, typed, sampling.ignoreEos(), stop, probabilities),
        new RemoteGenerate.Presentation(
            prompt(), chat, conversation.system(), special, hidePrompt, stats, json, quiet));
  }

  private int generate(
      Session session,
      String prompt,
      int[] tokens,
      GenerationOptions options,
      GenerationReport report) {
    if (tokens.length == 0) {
      throw new Failure(
          "the prompt is empty, and this model has no token that begins a text: give a prompt");
    }
    Output output = new Output(json || chat || hidePrompt ? "" : prompt);
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

  private int logProbabilities() {
    if (logProbs.isEmpty()) {
      return GenerationOptions.NONE;
    }
    int wanted = logProbs.get();
    if (wanted < 0 || wanted > StepBlock.CANDIDATES) {
      throw Failure.value("--logprobs", wanted, "from 0 to " + StepBlock.CANDIDATES);
    }
    if (!json) {
      throw Failure.usage("--logprobs goes into the JSON document: add --json");
    }
    return wanted;
  }

  private void checkChat() {
    if (!chat && !conversation.named().isEmpty()) {
      throw Failure.usage(conversation.named().getFirst() + " is for conversations: add --chat");
    }
    if (chat && special) {
      throw Failure.usage("--special is for prompts without --chat: in messages names are text");
    }
  }

  /** What to say of a model's template, or of the want of one. */
  private Optional<String> hint(Model opened, ChatTemplate template) {
    if (chat) {
      return ChatArguments.warning(opened, template);
    }
    return template.isBaseModel() || json || special
        ? Optional.empty()
        : Optional.of("tandem: this model has a chat template: --chat uses it");
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
    return tokens.toArray();
  }
}
