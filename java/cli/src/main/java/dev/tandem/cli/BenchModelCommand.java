package dev.tandem.cli;

import dev.tandem.cli.Table.Align;
import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.runtime.AbortFlag;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/**
 * {@code tandem bench model}: prompt and generation speed of a model, in the way of llama-bench.
 */
@Command(
    name = "model",
    customSynopsis = "tandem bench model [OPTIONS]",
    description = {
      "Measures how fast a model reads and generates.",
      "",
      "Tokens per second of reading a prompt (pp) and of generating (tg). Token ids are random; a"
          + " warm-up run is not counted."
    },
    footer = {
      "",
      "Examples:",
      "  tandem bench model -m model.gguf -p 512 -n 64 -t 2 -r 3",
      "  tandem bench model -m model.gguf -p 0 -n 32 -d 0,2048 --json"
    })
final class BenchModelCommand implements Callable<Integer> {

  private final Streams streams;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;

  @Option(
      names = {"-p", "--n-prompt"},
      paramLabel = "N",
      split = ",",
      description = "Tokens of the prompt; 0 = do not measure. Default: ${DEFAULT-VALUE}.",
      defaultValue = "512")
  private List<Integer> prompts;

  @Option(
      names = {"-n", "--n-gen"},
      paramLabel = "N",
      split = ",",
      description = "Tokens to generate; 0 = do not measure. Default: ${DEFAULT-VALUE}.",
      defaultValue = "64")
  private List<Integer> generated;

  @Option(
      names = {"-d", "--n-depth"},
      paramLabel = "N",
      split = ",",
      description = "Tokens in the context before. Default: ${DEFAULT-VALUE}.",
      defaultValue = "0")
  private List<Integer> depths;

  @Option(
      names = {"-r", "--repetitions"},
      paramLabel = "N",
      description = "How often to measure. Default: ${DEFAULT-VALUE}.",
      defaultValue = "5")
  private int repetitions;

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  /** What is measured: {@code pp512}, {@code tg64 @ d2048}. */
  private record Test(boolean prompt, int tokens, int depth) {
    String name() {
      return (prompt ? "pp" : "tg") + tokens + (depth > 0 ? " @ d" + depth : "");
    }
  }

  private record Result(Test test, double[] tokensPerSecond) {
    double mean() {
      return Arrays.stream(tokensPerSecond).average().orElseThrow();
    }

    double deviation() {
      double mean = mean();
      double squares = Arrays.stream(tokensPerSecond).map(x -> (x - mean) * (x - mean)).sum();
      return tokensPerSecond.length < 2 ? 0 : Math.sqrt(squares / (tokensPerSecond.length - 1));
    }

    double median() {
      double[] sorted = tokensPerSecond.clone();
      Arrays.sort(sorted);
      int middle = sorted.length / 2;
      return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
  }

  BenchModelCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    List<Test> tests = tests();
    EngineOptions engineOptions = run.engine();
    int longest = tests.stream().mapToInt(t -> t.tokens() + t.depth()).max().orElse(1);
    Model opened = Model.open(model.file());
    EngineOptions options = engineOptions.withKvTokens(longest);
    long started = System.nanoTime();
    try (ProgressBar loading = new ProgressBar(streams, "loading");
        Engine engine = Engine.load(opened, options, loading::update);
        AbortFlag flag = new AbortFlag();
        ProgressBar measuring = new ProgressBar(streams, "measuring")) {
      engine.awaitLoaded();
      loading.hide();
      double loadSeconds = (System.nanoTime() - started) / 1e9;
      List<Result> results = new ArrayList<>();
      int done = 0;
      for (Test test : tests) {
        double[] speeds = new double[repetitions];
        measure(engine, flag, test); // warm-up
        for (int i = 0; i < repetitions; i++) {
          speeds[i] = measure(engine, flag, test);
          measuring.update(++done, (long) repetitions * tests.size());
        }
        results.add(new Result(test, speeds));
      }
      measuring.hide();
      streams.print(
          json ? Json.text(document(engine, results, loadSeconds)) : table(engine, results));
    }
    return 0;
  }

  private List<Test> tests() {
    notNegative("-p", prompts);
    notNegative("-n", generated);
    notNegative("-d", depths);
    if (repetitions < 1) {
      throw Failure.value("-r", repetitions, "at least once");
    }
    List<Test> tests = new ArrayList<>();
    for (int depth : depths) {
      prompts.stream().filter(n -> n > 0).forEach(n -> tests.add(new Test(true, n, depth)));
      generated.stream().filter(n -> n > 0).forEach(n -> tests.add(new Test(false, n, depth)));
    }
    if (tests.isEmpty()) {
      throw Failure.usage("nothing to measure: give -p or -n more than 0 tokens");
    }
    return tests;
  }

  private static void notNegative(String option, List<Integer> numbers) {
    numbers.stream()
        .filter(n -> n < 0)
        .findFirst()
        .ifPresent(n -> {
          throw Failure.value(option, n, "0 or more tokens");
        });
  }

  /** Tokens per second of one run. */
  private double measure(Engine engine, AbortFlag flag, Test test) {
    int[] tokens = randomTokens(engine, test.depth() + test.tokens());
    KvSequence sequence = new KvSequence();
    try {
      read(engine, flag, sequence, tokens, 0, test.depth());
      long start = System.nanoTime();
      if (test.prompt()) {
        read(engine, flag, sequence, tokens, test.depth(), test.tokens());
      } else {
        for (int i = 0; i < test.tokens(); i++) {
          engine.begin();
          engine.add(sequence, tokens, test.depth() + i, 1, Engine.Outputs.LAST);
          engine.run(flag);
        }
      }
      return test.tokens() / ((System.nanoTime() - start) / 1e9);
    } finally {
      engine.cache().release(sequence);
    }
  }

  private static void read(
      Engine engine, AbortFlag flag, KvSequence sequence, int[] tokens, int from, int count) {
    int most = engine.step().capacity().tokens();
    for (int at = from; at < from + count; at += most) {
      int size = Math.min(most, from + count - at);
      engine.begin();
      boolean last = at + size == from + count;
      engine.add(sequence, tokens, at, size, last ? Engine.Outputs.LAST : Engine.Outputs.NONE);
      engine.run(flag);
    }
  }

  private static int[] randomTokens(Engine engine, int count) {
    int vocabulary = engine.model().graph().hyperparameters().vocabulary();
    return new SplittableRandom(1).ints(count, 0, vocabulary).toArray();
  }

  private static String table(Engine engine, List<Result> results) {
    Table table =
        new Table(
            Align.LEFT,
            Align.RIGHT,
            Align.RIGHT,
            Align.LEFT,
            Align.RIGHT,
            Align.RIGHT,
            Align.RIGHT);
    table.row("model", "size", "params", "device", "threads", "test", "tokens/s");
    for (Result result : results) {
      table.row(
          Printable.line(describe(engine.model())),
          MemoryNeed.text(engine.model().file().tensorBytes()),
          Quantities.count(engine.model().graph().parameters()),
          "cpu " + engine.device().instructionSet(),
          Integer.toString(engine.device().threads()),
          result.test().name(),
          Quantities.fixed(result.mean(), 2) + " ± " + Quantities.fixed(result.deviation(), 2));
    }
    return table.toString();
  }

  /** Name and the type that most bytes have. */
  private static String describe(Model model) {
    Map<TensorType, Long> bytes =
        model.file().tensors().values().stream()
            .collect(
                Collectors.groupingBy(
                    TensorInfo::type,
                    () -> new EnumMap<>(TensorType.class),
                    Collectors.summingLong(TensorInfo::bytes)));
    return bytes.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(entry -> model.name() + " " + entry.getKey())
        .orElse(model.name());
  }

  private static Map<String, Object> document(
      Engine engine, List<Result> results, double loadSeconds) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", describe(engine.model()));
    document.put("bytes", engine.model().file().tensorBytes());
    document.put("parameters", engine.model().graph().parameters());
    document.put("device", "cpu");
    document.put("instruction_set", engine.device().instructionSet());
    document.put("threads", engine.device().threads());
    document.put("load_seconds", loadSeconds);
    document.put("memory_bytes", engine.memory().total());
    List<Object> rows = new ArrayList<>();
    for (Result result : results) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("test", result.test().name());
      row.put("prompt", result.test().prompt());
      row.put("tokens", result.test().tokens());
      row.put("depth", result.test().depth());
      row.put("mean", result.mean());
      row.put("median", result.median());
      row.put("deviation", result.deviation());
      row.put("samples", result.tokensPerSecond());
      rows.add(row);
    }
    document.put("results", rows);
    return document;
  }
}
