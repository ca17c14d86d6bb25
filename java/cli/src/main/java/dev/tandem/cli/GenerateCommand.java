package dev.tandem.cli;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.text.TokenBuffer;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tandem generate}: continues a text. */
@Command(
    name = "generate",
    description = "Continues a text, token by token, as a model sees fit.",
    footer = {
      "",
      "The prompt and what follows go to standard output, all else to standard error.",
      "",
      "Examples:",
      "  tandem generate \"There was once a brave fox\"",
      "  tandem generate -m model.gguf -f prompt.txt -n 200 --temp 0 --stats",
      "  echo \"The capital of France is\" | tandem generate -m model.gguf -n 8 --json"
    })
final class GenerateCommand implements Callable<Integer> {

  private static final int INTERRUPTED = 130;

  private final Streams streams;
  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;

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
      description = "Read the prompt from a file.")
  private Optional<Path> file = Optional.empty();

  @Option(
      names = {"-n", "--predict"},
      paramLabel = "N",
      description =
          "Most tokens to generate. Default: until the model ends its text or the context is full.")
  private int predict = -1;

  @Option(
      names = "--temp",
      paramLabel = "T",
      description = "Temperature: 0 always takes the likeliest token. Default: ${DEFAULT-VALUE}.",
      defaultValue = "0.8")
  private double temperature;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Draw from the K likeliest tokens, 1 to 256. Default: ${DEFAULT-VALUE}.",
      defaultValue = "40")
  private int topK;

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      description = "Seed: the same seed gives the same text. Default: another one each time.")
  private Optional<Long> seed = Optional.empty();

  @Option(names = "--ignore-eos", description = "Go on when the model ends its text.")
  private boolean ignoreEos;

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
    String prompt = prompt();
    GenerationOptions options = options();
    long started = System.nanoTime();
    Model opened = Model.open(model.file());
    try (ProgressBar loading = new ProgressBar(streams, "loading");
        TandemModel loaded = TandemModel.load(opened, run.engine(), loading::update);
        Session session = loaded.newSession()) {
      loading.hide();
      long loadNanos = System.nanoTime() - started;
      if (!quiet) {
        streams.note(headline(loaded, options));
      }
      int[] tokens = tokens(loaded, prompt);
      Interrupt interrupt = Interrupt.install(session);
      try {
        return generate(loaded, session, prompt, tokens, options, loadNanos, interrupt);
      } finally {
        interrupt.done();
      }
    }
  }

  private int generate(
      TandemModel loaded,
      Session session,
      String prompt,
      int[] tokens,
      GenerationOptions options,
      long loadNanos,
      Interrupt interrupt) {
    ByteArrayOutputStream collected = new ByteArrayOutputStream();
    TokenBuffer ids = new TokenBuffer();
    if (!json && !hidePrompt) {
      streams.print(prompt);
    }
    Generation generation;
    try (ProgressBar reading = new ProgressBar(streams, "reading the prompt")) {
      generation =
          session.generate(
              tokens,
              options,
              new GenerationListener() {
                @Override
                public void prompt(int read, int total) {
                  reading.update(read, total);
                  if (read == total) {
                    reading.hide();
                  }
                }

                @Override
                public void token(int id) {
                  if (json) {
                    ids.add(id);
                  }
                }

                @Override
                public void text(byte[] utf8, int offset, int length) {
                  if (json) {
                    collected.write(utf8, offset, length);
                  } else {
                    streams.write(utf8, offset, length);
                  }
                }
              });
    }
    boolean interrupted = interrupt.happened();
    if (json) {
      streams.print(
          Json.text(
              document(
                  loaded,
                  prompt,
                  tokens,
                  collected.toString(StandardCharsets.UTF_8),
                  ids,
                  generation,
                  options,
                  loadNanos)));
    } else if (streams.outTerminal()) {
      streams.print("\n"); // so that the shell's prompt begins a line; a file gets the text alone
    }
    if (stats || interrupted) {
      streams.note(statistics(loaded, generation, options, loadNanos));
    }
    return interrupted ? INTERRUPTED : 0;
  }

  private String prompt() {
    if (argument.isPresent() && option.isPresent()
        || argument.or(() -> option).isPresent() && file.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "the prompt is named twice: choose one of PROMPT, -p and -f");
    }
    Optional<String> named = argument.or(() -> option);
    if (named.isPresent()) {
      return named.get();
    }
    try {
      byte[] bytes =
          file.isPresent() ? Files.readAllBytes(file.get()) : streams.in().readAllBytes();
      return new String(bytes, StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private GenerationOptions options() {
    try {
      SamplingOptions sampling =
          new SamplingOptions(
              temperature,
              topK,
              seed.orElseGet(() -> (long) ThreadLocalRandom.current().nextInt(1 << 30)));
      return new GenerationOptions(
          predict < 0 ? GenerationOptions.UNLIMITED : predict, sampling, ignoreEos);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }

  private static int[] tokens(TandemModel loaded, String prompt) {
    TokenBuffer tokens = new TokenBuffer();
    tokens.addAll(loaded.tokenizer().beginTokens());
    tokens.addAll(loaded.tokenizer().encode(prompt, false));
    if (tokens.size() == 0) {
      throw new Main.FailureException(
          "the prompt is empty, and this model has no token that begins a text: give a prompt");
    }
    return tokens.toArray();
  }

  private String headline(TandemModel loaded, GenerationOptions options) {
    return "%s (%s parameters) on cpu %s, %d threads; context %d tokens; memory at most %s; seed %d"
        .formatted(
            loaded.model().name(),
            Quantities.count(loaded.model().graph().parameters()),
            loaded.engine().device().instructionSet(),
            loaded.engine().device().threads(),
            loaded.engine().kvTokens(),
            MemoryNeed.text(loaded.engine().memory().total()),
            options.sampling().seed());
  }

  private static String statistics(
      TandemModel loaded, Generation g, GenerationOptions options, long loadNanos) {
    return String.format(
        Locale.ROOT,
        "load %.2f s | prompt %d tokens, %.1f tokens/s, first token after %.3f s | generated %d"
            + " tokens, %.1f tokens/s | end: %s | memory %s",
        loadNanos / 1e9,
        g.promptTokens(),
        g.promptSpeed(),
        g.firstToken().toNanos() / 1e9,
        g.generatedTokens(),
        g.decodeSpeed(),
        g.reason().name().toLowerCase(Locale.ROOT),
        loaded.engine().memory());
  }

  private static Map<String, Object> document(
      TandemModel loaded,
      String prompt,
      int[] promptIds,
      String text,
      TokenBuffer ids,
      Generation g,
      GenerationOptions options,
      long loadNanos) {
    Map<String, Object> timings = new LinkedHashMap<>();
    timings.put("load_seconds", loadNanos / 1e9);
    timings.put("first_token_seconds", g.firstToken().toNanos() / 1e9);
    timings.put("prompt_tokens_per_second", g.promptSpeed());
    timings.put("decode_seconds", g.decode().toNanos() / 1e9);
    timings.put("decode_tokens_per_second", g.decodeSpeed());
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", loaded.model().name());
    document.put("prompt", prompt);
    document.put("text", text);
    document.put("reason", g.reason().name().toLowerCase(Locale.ROOT));
    document.put("prompt_tokens", g.promptTokens());
    document.put("generated_tokens", g.generatedTokens());
    document.put("prompt_ids", promptIds);
    document.put("ids", ids.toArray());
    document.put("seed", options.sampling().seed());
    document.put("context", loaded.engine().kvTokens());
    document.put("timings", timings);
    return document;
  }

  /**
   * Ctrl-C: the JVM begins to shut down, and this hook ends the generation and waits until the
   * command has said its last word.
   */
  private static final class Interrupt {
    private static final long PATIENCE_MILLIS = 400;

    private final CountDownLatch ended = new CountDownLatch(1);
    private volatile boolean happened;

    static Interrupt install(Session session) {
      Interrupt interrupt = new Interrupt();
      Runtime.getRuntime()
          .addShutdownHook(
              new Thread(() -> {
                if (interrupt.ended.getCount() == 0) {
                  return;
                }
                interrupt.happened = true;
                session.cancel();
                try {
                  interrupt.ended.await(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
              }));
      return interrupt;
    }

    boolean happened() {
      return happened;
    }

    void done() {
      ended.countDown();
    }
  }
}
