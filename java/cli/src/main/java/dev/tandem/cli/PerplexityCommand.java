package dev.tandem.cli;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.engine.score.Estimate;
import dev.tandem.model.Model;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.text.TokenBuffer;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.Vocabulary;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tandem perplexity}: how well a model predicts a text, and how far it is from another. */
@Command(
    name = "perplexity",
    customSynopsis = "tandem perplexity [OPTIONS]",
    description = {
      "Measures how well a model predicts a text.",
      "",
      "The perplexity is e to the mean surprise per token: of two models with the same vocabulary"
          + " the one with the lower perplexity expects the text better. Compare figures of the"
          + " same text and window only. As in llama-perplexity the text is cut into windows, and"
          + " the second half of each is scored; figures can be compared with its own.",
      "",
      "With --kl-base it also measures how far the model's predictions are from those of another"
          + " model, such as the one that it was quantised from: the Kullback-Leibler divergence"
          + " in nats (0 if they are the same; mean and percentiles over the tokens), by how much"
          + " the probability p of the text's tokens differs, and how often both models expect the"
          + " same token most.",
      "",
      "Memory: the weights of the model, the KV cache of the windows that are read together, and"
          + " at most 256 MiB for logits; with --kl-base all of it twice, since both models go"
          + " through the text side by side. Nothing is written to disk.",
      "",
      "Ctrl-C ends it with the estimate so far."
    },
    footer = {
      "",
      "Examples:",
      "  tandem perplexity -m model.gguf -f wiki.test.raw",
      "  tandem perplexity -m model.gguf -f wiki.test.raw --chunks 50 --json",
      "  tandem perplexity -m model-Q4_0.gguf --kl-base model-F16.gguf -f text.txt"
    })
final class PerplexityCommand implements Callable<Integer> {

  private final Streams streams;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description =
          "The text, read to its last byte but for a line feed that ends it. Default: standard"
              + " input.")
  private Optional<Path> file = Optional.empty();

  @Option(
      names = {"-c", "--ctx-size"},
      paramLabel = "N",
      description = "Tokens of a window. Default: ${DEFAULT-VALUE}.",
      defaultValue = "512")
  private int size;

  @Option(
      names = "--chunks",
      paramLabel = "N",
      description = "Only the first N windows. Default: all of the text.")
  private Optional<Integer> chunks = Optional.empty();

  @Option(
      names = "--kl-base",
      paramLabel = "FILE",
      description = "Compare with this model, which must have the same vocabulary.")
  private Optional<Path> base = Optional.empty();

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  @Option(
      names = {"-q", "--quiet"},
      description = "Say nothing on standard error but errors.")
  private boolean quiet;

  PerplexityCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    if (size < TextWindows.LEAST_SIZE) {
      throw Failure.value("-c", size, "at least " + TextWindows.LEAST_SIZE + " tokens");
    }
    if (chunks.orElse(1) < 1) {
      throw Failure.value("--chunks", chunks.get(), "at least 1 window");
    }
    EngineOptions options = run.engine();
    List<Model> models = new ArrayList<>(List.of(Model.open(model.file())));
    Tokenizer tokenizer = Tokenizer.of(models.getFirst().file().metadata());
    if (base.isPresent()) {
      models.add(Model.open(base.get()));
      requireSameVocabulary(models, tokenizer);
    }
    TextWindows windows = windows(tokenizer);
    requireRoom(models, options, HostResources.ofThisMachine().availableMemory());
    warn(models);
    return base.isPresent()
        ? measure(models, windows, options, new ComparisonMeasure())
        : measure(models, windows, options, new PerplexityMeasure());
  }

  private int measure(
      List<Model> models, TextWindows windows, EngineOptions options, Measure<?> measure) {
    long started = System.nanoTime();
    try (ProgressBar loading = new ProgressBar(streams, "loading", !quiet);
        WindowRun loaded = new WindowRun(models, windows, options, loading::update);
        AbortFlag flag = new AbortFlag();
        Interrupt interrupt = new Interrupt(flag::set);
        ProgressBar bar = new ProgressBar(streams, "measuring", !quiet)) {
      loading.hide();
      Result result = new Result(windows, measure, bar, System.nanoTime() - started);
      note(headline(loaded.engines(), windows));
      try {
        loaded.run(measure, flag, result);
      } catch (RuntimeFailure e) {
        if (e.status() != RuntimeFailure.Status.ABORTED) {
          throw e;
        }
      }
      bar.hide();
      if (measure.tokens() > 0) {
        streams.print(json ? Json.text(result.document(loaded.engines())) : measure.text());
        note(result.statistics());
      } else if (interrupt.happened()) {
        note("interrupted before a window was done: there is no estimate yet");
      }
      return interrupt.happened() ? Interrupt.EXIT_CODE : 0;
    }
  }

  /** How far a run is, and what came out of it. */
  private static final class Result implements WindowRun.Progress {
    private final TextWindows windows;
    private final Measure<?> measure;
    private final ProgressBar bar;
    private final long loadNanos;
    private final long started = System.nanoTime();
    private final List<Double> running = new ArrayList<>();
    private long tokensRead;

    Result(TextWindows windows, Measure<?> measure, ProgressBar bar, long loadNanos) {
      this.windows = windows;
      this.measure = measure;
      this.bar = bar;
      this.loadNanos = loadNanos;
    }

    @Override
    public void read(long tokens, long total) {
      tokensRead = tokens;
      bar.update(tokens, total);
    }

    @Override
    public void windowDone() {
      Estimate perplexity = measure.perplexity();
      running.add(perplexity.value());
      bar.note(PerplexityMeasure.text(perplexity));
    }

    String statistics() {
      double seconds = seconds();
      return "%s of %d tokens, %d tokens scored in %s s (%s tokens/s)%s"
          .formatted(
              Quantities.plural(running.size(), "window"),
              windows.size(),
              measure.tokens(),
              Quantities.fixed(seconds, 2),
              Quantities.fixed(tokensRead / seconds, 1),
              running.size() == windows.count()
                  ? ""
                  : "; interrupted: the text has " + windows.count());
    }

    private double seconds() {
      return (System.nanoTime() - started) / 1e9;
    }

    Map<String, Object> document(List<Engine> engines) {
      double seconds = seconds();
      Estimate perplexity = measure.perplexity();
      Engine engine = engines.getFirst();
      Map<String, Object> document = new LinkedHashMap<>();
      document.put("model", engine.model().name());
      if (engines.size() > 1) {
        document.put("base", engines.getLast().model().name());
      }
      document.put("perplexity", perplexity.value());
      document.put("error", perplexity.error());
      document.putAll(measure.document());
      document.put("tokens", measure.tokens());
      document.put("windows", running.size());
      document.put("window_tokens", windows.size());
      document.put("text_tokens", windows.textTokens());
      document.put("complete", running.size() == windows.count());
      document.put("running", running);
      document.put("seconds", seconds);
      document.put("load_seconds", loadNanos / 1e9);
      document.put("device", engine.device().name());
      document.put("instruction_set", engine.device().instructionSet());
      document.put("threads", engine.device().threads());
      document.put("memory_bytes", memory(engines));
      return document;
    }
  }

  private static String headline(List<Engine> engines, TextWindows windows) {
    Engine engine = engines.getFirst();
    return "%s%s on %s; %s of %d tokens; memory at most %s"
        .formatted(
            describe(engine),
            engines.size() > 1 ? " and " + describe(engines.getLast()) : "",
            engine.device().description(),
            Quantities.plural(windows.count(), "window"),
            windows.size(),
            MemoryNeed.text(memory(engines)));
  }

  private static String describe(Engine engine) {
    return "%s (%s parameters)"
        .formatted(
            Printable.line(engine.model().name()),
            Quantities.count(engine.model().graph().parameters()));
  }

  private static long memory(List<Engine> engines) {
    return engines.stream().mapToLong(engine -> engine.memory().total()).sum();
  }

  private void note(String line) {
    if (!quiet) {
      streams.note(line);
    }
  }

  private TextWindows windows(Tokenizer tokenizer) {
    String text = new TextInput(streams).text(file);
    TokenBuffer tokens = new TokenBuffer();
    int[] begin = tokenizer.beginTokens();
    tokens.addAll(begin);
    tokens.addAll(
        tokenizer.encode(text.endsWith("\n") ? text.substring(0, text.length() - 1) : text, false));
    TextWindows windows =
        new TextWindows(tokens.toArray(), begin, size, chunks.orElse(Integer.MAX_VALUE));
    if (windows.count() == 0) {
      throw new Failure(
          "the text has %s, too few for a window of %d: give a longer text, or smaller windows (-c)"
              .formatted(Quantities.plural(windows.textTokens(), "token"), size));
    }
    return windows;
  }

  /** Otherwise the same row of logits would speak of different tokens. */
  private static void requireSameVocabulary(List<Model> models, Tokenizer tokenizer) {
    Vocabulary ours = tokenizer.vocabulary();
    Vocabulary theirs = Tokenizer.of(models.getLast().file().metadata()).vocabulary();
    int rows = models.getFirst().graph().logits().width();
    int baseRows = models.getLast().graph().logits().width();
    if (rows != baseRows || ours.size() != theirs.size()) {
      throw differentVocabulary(
          models,
          rows != baseRows
              ? "%d and %d logits".formatted(rows, baseRows)
              : "%d and %d tokens".formatted(ours.size(), theirs.size()));
    }
    for (int id = 0; id < ours.size(); id++) {
      if (!Arrays.equals(ours.bytes(id), theirs.bytes(id))) {
        throw differentVocabulary(
            models,
            "token %d is '%s' and '%s'"
                .formatted(
                    id, Printable.line(ours.text(id), 40), Printable.line(theirs.text(id), 40)));
      }
    }
  }

  private static Failure differentVocabulary(List<Model> models, String difference) {
    return new Failure(
        "%s and %s have different vocabularies (%s) and cannot be compared: name a --kl-base with the same one"
            .formatted(
                Printable.line(models.getFirst().name()),
                Printable.line(models.getLast().name()),
                difference));
  }

  /** Two models may fit one by one and not together: better told before the first is loaded. */
  static void requireRoom(List<Model> models, EngineOptions options, OptionalLong available) {
    long weights = models.stream().mapToLong(m -> m.file().tensorBytes()).sum();
    if (models.size() > 1
        && options.weights() != WeightStore.Mode.MAPPED
        && weights > available.orElse(Long.MAX_VALUE)) {
      throw new Failure(
          "both models together need %s for their weights, and %s are available; free memory, or keep the weights in the mapped files (--no-repack)"
              .formatted(MemoryNeed.text(weights), MemoryNeed.text(available.getAsLong())));
    }
  }

  private void warn(List<Model> models) {
    for (Model each : models) {
      int trained = each.graph().hyperparameters().trainedContext();
      if (size > trained) {
        note(
            "tandem: windows of %d tokens are more than the %d that %s was trained for: expect a poor figure (-c)"
                .formatted(size, trained, Printable.line(each.name())));
      }
    }
  }
}
