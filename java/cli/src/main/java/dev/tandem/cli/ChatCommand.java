package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.text.chat.ChatTemplate;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tandem chat}: a conversation. */
@Command(
    name = "chat",
    customSynopsis = "tandem chat [OPTIONS]",
    description = {
      "Talks with a model.",
      "",
      "Every line is a message. Those that begin with a slash are commands: /help lists them. A"
          + " line that ends in a backslash goes on in the next one. Ctrl-C stops an answer, and"
          + " leaves where there is none to stop; Ctrl-D leaves.",
      "",
      "Answers go to standard output, all else to standard error. From a pipe a line is a message"
          + " too; then nothing asks for it, and the exit code is 1 if one could not be answered.",
      "",
      "When the context is full the oldest turns are dropped, and that is told; the system message"
          + " stays. What is in the context already is not read again."
    },
    footer = {
      "",
      "Examples:",
      "  tandem chat -m model.gguf",
      "  tandem chat -m model.gguf --system \"You answer in one sentence.\" -c 4096",
      "  echo \"What is the capital of France?\" | tandem chat -m model.gguf -q"
    })
final class ChatCommand implements Callable<Integer> {

  private static final int FAILED = 1;

  private final Streams streams;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;
  @Mixin private LossOptions loss;
  @Mixin private LengthOptions length;
  @Mixin private SamplingArguments sampling;
  @Mixin private ChatArguments chat;

  @Option(names = "--stats", description = "Tell tokens and speeds after each answer.")
  private boolean stats;

  @Option(
      names = {"-q", "--quiet"},
      description = "Say nothing of the model on standard error.")
  private boolean quiet;

  ChatCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    SamplingOptions typed = sampling.options();
    int most = length.mostTokens();
    List<String> stop = length.stop();
    EngineOptions engine = loss.in(length.engine(run));
    long started = System.nanoTime();
    Model opened = Model.open(model.file());
    SamplingArguments.check(typed, opened);
    ChatTemplate template = chat.template(opened, streams);
    note(length.warning(opened));
    try (ProgressBar loading = new ProgressBar(streams, "loading", !quiet);
        TandemModel loaded = TandemModel.load(opened, engine, loading::update);
        Session session = loaded.newSession()) {
      loaded.awaitLoaded(); // a bar and a line being typed do not go together
      loading.hide();
      SamplingOptions drawing = sampling.of(typed, loaded);
      GenerationReport report = new GenerationReport(loaded, drawing, started);
      note(Optional.of(report.headline()));
      note(ChatArguments.warning(opened, template));
      ChatPrompts prompts = chat.prompts(template, model.file(), loaded.tokenizer());
      Conversation conversation = new Conversation(prompts, session.capacity(), most);
      conversation.load(chat.begin());
      // Each answer has random numbers of its own, and all together follow from the seed.
      IntFunction<GenerationOptions> options =
          answer ->
              new GenerationOptions(
                  most,
                  drawing.withSeed(drawing.seed() + answer),
                  sampling.ignoreEos(),
                  stop,
                  GenerationOptions.NONE);
      SessionAnswers answers = new SessionAnswers(session, options, streams, isTyped(), quiet);
      ChatReport numbers = new ChatReport(session::length, session.capacity());
      Chat.Answerer telling =
          prompt -> {
            ChatAnswer answer = answers.answer(prompt);
            if (!quiet) {
              loss.tell(loaded, streams);
            }
            return answer;
          };
      return talk(new Chat(conversation, telling, numbers, streams, stats));
    }
  }

  private int talk(Chat chat) {
    try (ChatInput input = input()) {
      for (Optional<String> line = input.next(); line.isPresent(); line = input.next()) {
        Chat.Next next = chat.line(line.get());
        if (next == Chat.Next.INTERRUPTED) {
          return Interrupt.EXIT_CODE;
        }
        if (next == Chat.Next.LEAVE) {
          break;
        }
      }
      return chat.hasFailed() && !isTyped() ? FAILED : 0;
    } catch (ChatInput.InterruptedByUser e) {
      return Interrupt.EXIT_CODE;
    }
  }

  /** An editor where people type, if the terminal is able to show one. */
  private ChatInput input() {
    Streams.Kind shown = streams.isTerminal(Streams.Kind.ERR) ? Streams.Kind.ERR : Streams.Kind.OUT;
    if (!isTyped() || !streams.isTerminal(shown)) {
      return new LineInput(streams, "");
    }
    note(Optional.of("/help lists the commands."));
    Optional<LineEditor> editor =
        LineEditor.open(
            Optional.ofNullable(System.getenv("TERM")).orElse(""),
            new InputHistory(UserFolders.state(System.getenv())),
            streams.isColoured(shown));
    return editor.isPresent() ? editor.get() : new LineInput(streams, LineEditor.PROMPT);
  }

  private boolean isTyped() {
    return streams.isTerminal(Streams.Kind.IN);
  }

  private void note(Optional<String> line) {
    if (!quiet) {
      line.ifPresent(streams::note);
    }
  }
}
