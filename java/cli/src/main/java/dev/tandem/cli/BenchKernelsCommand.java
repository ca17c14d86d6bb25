package dev.tandem.cli;

import dev.tandem.engine.calibrate.Kernel;
import dev.tandem.engine.calibrate.KernelRig;
import dev.tandem.engine.calibrate.MachineLimits;
import dev.tandem.engine.calibrate.Samples;
import dev.tandem.engine.calibrate.StepKernels;
import dev.tandem.engine.calibrate.StepShape;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.StepCapacity;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.ElementType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tandem bench kernels}: every kernel of a model by itself, beside the machine's limits. */
@Command(
    name = "kernels",
    customSynopsis = "tandem bench kernels [OPTIONS]",
    description = {
      "Measures every kernel of a model by itself, beside what the machine can do at most.",
      "",
      "Time of a call, bytes and operations per second, which limit bounds it and how much of that"
          + " it reaches (the limits are measured in the same run), and its share of a step."
          + " Weights are random: of a model, only the header is read. Those of one call after"
          + " another are others, so that they come from memory where the model's would;"
          + " activations are in the caches where they fit, and then more than 100 %% of a memory's"
          + " speed is possible.",
      "",
      "On a GPU the limit is what its memory copies; where none is known, there is a '-'."
    },
    footer = {
      "",
      "Examples:",
      "  tandem bench kernels -m model.gguf -t 2",
      "  tandem bench kernels --shape llama-3.2-1b --type Q4_0 -b 1,8 -p 512 -d 2048",
      "  tandem bench kernels --shape llama-3.2-1b --device cuda:0"
    })
final class BenchKernelsCommand implements Callable<Integer> {

  private static final int MOST_CONTEXT = 1 << 24;
  // Left to the Java side and to whoever else is there.
  private static final long RESERVE_BYTES = 256L << 20;

  private final Streams streams;

  @Option(
      names = {"-m", "--model"},
      paramLabel = "FILE",
      description =
          "GGUF model (of a split one, any part). Default: --shape, else the built-in model.")
  private Optional<Path> file = Optional.empty();

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      description = "Instead of a model, a known shape: ${COMPLETION-CANDIDATES}.",
      completionCandidates = Shapes.class)
  private Optional<String> shape = Optional.empty();

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      description =
          "With --shape: the format of the matrices: ${COMPLETION-CANDIDATES}. Default: Q4_0.",
      completionCandidates = Types.class)
  private Optional<TensorType> type = Optional.empty();

  @Option(
      names = {"-b", "--tokens"},
      paramLabel = "N",
      split = ",",
      description =
          "Tokens of a decoding step, each of another sequence; 0 = do not measure. Default:"
              + " ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private List<Integer> decoding;

  @Option(
      names = {"-p", "--n-prompt"},
      paramLabel = "N",
      split = ",",
      description =
          "Tokens of a step that reads a prompt; 0 = do not measure. Default: ${DEFAULT-VALUE}.",
      defaultValue = "512")
  private List<Integer> prompts;

  @Option(
      names = {"-d", "--n-depth"},
      paramLabel = "N",
      split = ",",
      description = "Tokens in the context of each sequence before. Default: ${DEFAULT-VALUE}.",
      defaultValue = "0")
  private List<Integer> depths;

  @Option(
      names = {"-r", "--repetitions"},
      paramLabel = "N",
      description = "How often to measure; the median counts. Default: ${DEFAULT-VALUE}.",
      defaultValue = "5")
  private int repetitions;

  @Mixin private DeviceArguments device;

  @Option(
      names = "--isa",
      paramLabel = "NAME",
      description =
          "Instruction set of the kernels: scalar, avx2, avx512, amx. Default: the best one here.")
  private Optional<String> isa = Optional.empty();

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  BenchKernelsCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    List<StepShape> steps = steps();
    HostResources machine = HostResources.ofThisMachine();
    DeviceOptions options = options(machine);
    Model model = model();
    try (Device device = Device.open(options);
        ProgressBar measuring = new ProgressBar(streams, "measuring")) {
      MachineLimits limits = new MachineLimits(device);
      limits.sample();
      List<KernelsReport> reports = new ArrayList<>();
      int done = 0;
      for (StepShape step : steps) {
        reports.add(measure(device, model, step, limits, machine, measuring, done++, steps.size()));
      }
      measuring.hide();
      streams.print(
          json
              ? Json.text(document(device, model, limits, reports))
              : text(device, model, limits, reports));
    }
    return 0;
  }

  /** On the CPU within what the machine has left. */
  private DeviceOptions options(HostResources machine) {
    DeviceOptions typed = device.engine().device();
    DeviceOptions options = isa.map(typed::withInstructionSet).orElse(typed);
    long available = machine.availableMemory().orElse(Long.MAX_VALUE) - RESERVE_BYTES;
    return device.isCpu() ? options.withMemoryLimit(Math.max(1, available)) : options;
  }

  /** One round after another, each with every kernel and every limit once. */
  private KernelsReport measure(
      Device device,
      Model model,
      StepShape step,
      MachineLimits limits,
      HostResources machine,
      ProgressBar measuring,
      int stepsDone,
      int stepsInAll) {
    List<StepKernels.Use> uses = kernelsOf(device, model, step);
    List<Kernel> kernels = uses.stream().map(StepKernels.Use::kernel).toList();
    double read =
        model.graph().cost(step.workload()).weightBytes()
            + model.graph().cost(step.workload()).kvBytes();
    long hugeBefore = machine.memoryOnHugePages().orElse(0);
    try (KernelRig rig = new KernelRig(device, limits, kernels, (long) read)) {
      long huge = machine.memoryOnHugePages().orElse(0) - hugeBefore;
      limits.useSmallPages(!device.hasOwnMemory() && huge < rig.weightBytes() / 2);
      List<KernelRig.Prepared> prepared = kernels.stream().map(rig::prepare).toList();
      List<Samples> times = kernels.stream().map(k -> new Samples()).toList();
      for (int round = 0; round < repetitions; round++) {
        for (int i = 0; i < kernels.size(); i++) {
          times.get(i).add(prepared.get(i).seconds());
          long kernelsDone = (long) round * kernels.size() + i + 1;
          long ofStep = (long) repetitions * kernels.size();
          measuring.update(stepsDone * ofStep + kernelsDone, stepsInAll * ofStep);
        }
        limits.sample();
      }
      return new KernelsReport(step, uses, times, limits);
    }
  }

  private static List<StepKernels.Use> kernelsOf(Device device, Model model, StepShape step) {
    try {
      return StepKernels.of(device, model.graph(), step);
    } catch (IllegalArgumentException e) {
      throw new Failure(e.getMessage()); // a format that there are no kernels for
    }
  }

  private List<StepShape> steps() {
    check("-b", decoding, StepCapacity.MOST_TOKENS);
    check("-p", prompts, StepCapacity.MOST_TOKENS);
    check("-d", depths, MOST_CONTEXT);
    if (repetitions < 1) {
      throw Failure.value("-r", repetitions, "at least once");
    }
    List<StepShape> steps = new ArrayList<>();
    try {
      for (int depth : depths) {
        decoding.stream().filter(n -> n > 0).forEach(n -> steps.add(StepShape.decode(n, depth)));
        prompts.stream().filter(n -> n > 0).forEach(n -> steps.add(StepShape.prefill(n, depth)));
      }
    } catch (IllegalArgumentException e) {
      throw Failure.usage(e.getMessage()); // more positions than can be
    }
    if (steps.isEmpty()) {
      throw Failure.usage("nothing to measure: give -b or -p more than 0 tokens");
    }
    return steps;
  }

  private static void check(String option, List<Integer> numbers, int most) {
    for (int number : numbers) {
      if (number < 0 || number > most) {
        throw Failure.value(option, number, "from 0 to " + most + " tokens");
      }
    }
  }

  private Model model() {
    if (shape.isEmpty()) {
      if (type.isPresent()) {
        throw Failure.usage("--type is for shapes, and a model has its own: add --shape");
      }
      return Model.open(ModelOptions.file(file));
    }
    if (file.isPresent()) {
      throw Failure.usage("-m and --shape: choose one");
    }
    try {
      Path folder = Files.createTempDirectory("tandem-shape-");
      Path outline = folder.resolve("outline.gguf");
      try {
        ModelShape known = ModelShape.named(shape.get());
        SyntheticModel.writer(known, SyntheticModel.Options.of(type.orElse(TensorType.Q4_0)))
            .writeOutline(outline);
        return Model.open(outline);
      } catch (IllegalArgumentException e) {
        throw Failure.usage(e.getMessage());
      } finally {
        Files.deleteIfExists(outline);
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("a temporary file for the shape: " + e.getMessage(), e);
    }
  }

  private static String text(
      Device device, Model model, MachineLimits limits, List<KernelsReport> reports) {
    StringBuilder text = new StringBuilder();
    text.append("%s, %s%n".formatted(Printable.line(model.name()), device.description()));
    text.append(LimitsText.of(limits));
    reports.forEach(report -> text.append('\n').append(report.text()));
    return text.toString();
  }

  private static Map<String, Object> document(
      Device device, Model model, MachineLimits limits, List<KernelsReport> reports) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", model.name());
    document.put("device", device.name());
    document.put("instruction_set", device.instructionSet());
    document.put("threads", device.threads());
    document.put("limits", LimitsText.document(limits));
    document.put("steps", reports.stream().map(KernelsReport::document).toList());
    return document;
  }

  /** The names of the known shapes, for the help. */
  private static final class Shapes implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return ModelShape.known().stream().map(ModelShape::name).iterator();
    }
  }

  /** The formats that there are kernels for. */
  private static final class Types implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return BlockCodec.supported().stream()
          .filter(type -> ElementType.ofWeight(type.id()).isPresent())
          .map(Enum::name)
          .iterator();
    }
  }
}
