package dev.tandem.cli;

import static dev.tandem.cli.Table.Column.left;
import static dev.tandem.cli.Table.Column.right;
import static dev.tandem.cli.Table.NOTHING;

import dev.tandem.cli.BenchModelResult.Test;
import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.engine.calibrate.MachineLimits;
import dev.tandem.engine.calibrate.Samples;
import dev.tandem.engine.kv.KvCache;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.model.Model;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.runtime.AbortFlag;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
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
      "Tokens per second of reading a prompt (pp) and of generating (tg), and what that is of the"
          + " limit which the machine sets in the same minutes: operations where it reads, bytes of"
          + " weights and KV cache where it generates. Token ids are random; filling the context"
          + " (-d) and a warm-up run are not counted."
    },
    footer = {
      "",
      "Examples:",
      "  tandem bench model -m model.gguf -p 512 -n 64 -t 2 -r 3",
      "  tandem bench model -m model.gguf -p 0 -n 32 -d 0,2048 --json",
      "  tandem bench model -m model.gguf -p 0 -n 32 -B 1,2,4,8,16,32"
    })
final class BenchModelCommand implements Callable<Integer> {

  private static final long LIMITS_NEED_BYTES = 1L << 30;

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
      names = {"-B", "--sequences"},
      paramLabel = "N",
      split = ",",
      description =
          "Sequences that generate together; tokens per second are those of all. Default:"
              + " ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private List<Integer> sequences;

  @Option(
      names = {"-r", "--repetitions"},
      paramLabel = "N",
      description = "How often to measure. Default: ${DEFAULT-VALUE}.",
      defaultValue = "5")
  private int repetitions;

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  BenchModelCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    List<Test> tests = tests();
    EngineOptions options = options(tests);
    Model opened = Model.open(model.file());
    HostResources machine = HostResources.ofThisMachine();
    long hugeBefore = machine.memoryOnHugePages().orElse(0);
    long started = System.nanoTime();
    try (ProgressBar loading = new ProgressBar(streams, "loading");
        Engine engine = Engine.load(opened, options, loading::update);
        AbortFlag flag = new AbortFlag();
        ProgressBar measuring = new ProgressBar(streams, "measuring")) {
      engine.awaitLoaded();
      loading.hide();
      double loadSeconds = (System.nanoTime() - started) / 1e9;
      try (BenchModelRun first = new BenchModelRun(engine, flag, new Test(false, 1, 1, 0))) {
        first.tokensPerSecond(); // afterwards all weights are where they will stay
      }
      long huge = machine.memoryOnHugePages().orElse(0) - hugeBefore;
      Optional<MachineLimits> limits = limits(engine, machine, huge);
      List<BenchModelResult> results = new ArrayList<>();
      for (Test test : tests) {
        Samples samples = new Samples();
        long before = (long) results.size() * repetitions;
        long all = (long) tests.size() * repetitions;
        try (BenchModelRun run = new BenchModelRun(engine, flag, test)) {
          run.tokensPerSecond(); // warm-up
          for (int i = 0; i < repetitions; i++) {
            samples.add(run.tokensPerSecond());
            measuring.update(before + i + 1, all);
            limits.ifPresent(MachineLimits::sample);
          }
        }
        results.add(new BenchModelResult(test, samples));
      }
      measuring.hide();
      streams.print(
          json
              ? Json.text(document(engine, results, limits, loadSeconds))
              : table(engine, results, limits));
    }
    return 0;
  }

  /** With room for the longest and the widest test. */
  private EngineOptions options(List<Test> tests) {
    long kvTokens = 1;
    int outputs = 1;
    for (Test test : tests) {
      long each = (long) KvCache.BLOCK_TOKENS * KvCache.blocksFor(test.context());
      kvTokens =
          Math.max(kvTokens, test.sequences() == 1 ? test.context() : test.sequences() * each);
      outputs = Math.max(outputs, test.sequences());
    }
    if (kvTokens > Integer.MAX_VALUE) {
      throw Failure.usage("a context of " + kvTokens + " tokens is too large");
    }
    EngineOptions options = run.engine();
    return options
        .withStep(Math.max(options.stepTokens(), outputs), outputs)
        .withKvTokens((int) kvTokens);
  }

  /** None where memory is short, since measuring takes some, or where the device has none. */
  private static Optional<MachineLimits> limits(
      Engine engine, HostResources machine, long bytesOnHugePages) {
    if (machine.availableMemory().orElse(Long.MAX_VALUE) < LIMITS_NEED_BYTES) {
      return Optional.empty();
    }
    MachineLimits limits = new MachineLimits(engine.device(), BenchModelResult.arithmetics(engine));
    limits.useSmallPages(
        !engine.device().hasOwnMemory() && bytesOnHugePages < engine.memory().weights() / 2);
    limits.sample();
    return Optional.of(limits).filter(MachineLimits::areKnown);
  }

  private List<Test> tests() {
    notNegative("-p", prompts);
    notNegative("-n", generated);
    notNegative("-d", depths);
    for (int count : sequences) {
      if (count < 1 || count > StepCapacity.MOST_TOKENS) {
        throw Failure.value("-B", count, "from 1 to " + StepCapacity.MOST_TOKENS + " sequences");
      }
    }
    if (repetitions < 1) {
      throw Failure.value("-r", repetitions, "at least once");
    }
    List<Test> tests = new ArrayList<>();
    for (int depth : depths) {
      for (int count : prompts) {
        tests.add(new Test(true, count, 1, depth));
      }
      for (int count : generated) {
        sequences.forEach(together -> tests.add(new Test(false, count, together, depth)));
      }
    }
    tests.removeIf(test -> test.tokens() == 0);
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

  private static String table(
      Engine engine, List<BenchModelResult> results, Optional<MachineLimits> limits) {
    Table table =
        new Table(
            List.of(
                left("model"),
                right("size"),
                right("params"),
                left("device"),
                right("threads"),
                right("test"),
                right("tokens/s"),
                right("reached"),
                right("of limit")));
    // "cpu avx512, 2 threads", or "cuda:0": of a GPU nobody counts threads.
    String[] device = engine.device().description().split(", ");
    String threads = device.length > 1 ? Integer.toString(engine.device().threads()) : "-";
    for (BenchModelResult result : results) {
      Optional<BenchModelResult.Reached> reached = limits.map(l -> result.reached(engine, l));
      table.row(
          Printable.line(describe(engine.model())),
          MemoryNeed.text(engine.model().file().tensorBytes()),
          Quantities.count(engine.model().graph().parameters()),
          device[0],
          threads,
          result.test().name(),
          Quantities.fixed(result.samples().mean(), 2)
              + " ± "
              + Quantities.fixed(result.samples().deviation(), 2),
          reached.map(BenchModelResult.Reached::text).orElse(NOTHING),
          reached.map(BenchModelResult.Reached::fractionText).orElse(NOTHING));
    }
    return table + limits.map(l -> "\n" + LimitsText.of(l)).orElse("");
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
      Engine engine,
      List<BenchModelResult> results,
      Optional<MachineLimits> limits,
      double loadSeconds) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", describe(engine.model()));
    document.put("bytes", engine.model().file().tensorBytes());
    document.put("parameters", engine.model().graph().parameters());
    document.put("device", engine.device().name());
    document.put("instruction_set", engine.device().instructionSet());
    document.put("threads", engine.device().threads());
    document.put("load_seconds", loadSeconds);
    document.put("memory_bytes", engine.memory().total());
    limits.ifPresent(l -> document.put("limits", LimitsText.document(l)));
    List<Object> rows = new ArrayList<>();
    for (BenchModelResult result : results) {
      Map<String, Object> row = result.document();
      limits
          .map(l -> result.reached(engine, l))
          .ifPresent(reached -> {
            String key = result.test().prompt() ? "operations_per_second" : "bytes_per_second";
            row.put(key, reached.perSecond());
            reached.fraction().ifPresent(fraction -> row.put("fraction_of_limit", fraction));
          });
      rows.add(row);
    }
    document.put("results", rows);
    return document;
  }
}
