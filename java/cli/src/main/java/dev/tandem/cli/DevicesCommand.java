package dev.tandem.cli;

import dev.tandem.engine.machine.HostResources;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.Gpu;
import dev.tandem.runtime.Limit;
import dev.tandem.runtime.RuntimeFailure;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tandem devices}: what models can run on. */
@Command(
    name = "devices",
    customSynopsis = "tandem devices [OPTIONS]",
    description = {
      "Shows what models can run on: the CPU with what this process may use of it, and GPUs.",
      "",
      "Threads and memory are those within the limits of the control group, if there is one. What"
          + " is missing for a GPU is said below the table."
    },
    footer = {"", "Examples:", "  tandem devices", "  tandem devices --measure --json"})
final class DevicesCommand implements Callable<Integer> {

  private static final int MILLISECONDS = 50;
  private static final List<Limit> OF_CPU = List.of(Limit.READ);
  private static final List<Limit> OF_GPU = List.of(Limit.COPY, Limit.TO_DEVICE, Limit.TO_HOST);

  private final Streams streams;

  @Option(
      names = "--measure",
      description =
          "Measure how fast memory is read, and a GPU's memory and the link to it copied: under a"
              + " second per device.")
  private boolean measure;

  @Option(
      names = "--all",
      description =
          "Show the GPU too that the host plays (emulated:0 to emulated:7 are alike), for those who"
              + " write kernels.")
  private boolean all;

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  DevicesCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    DevicesReport report = new DevicesReport(measure);
    addCpu(report);
    addGpus(report, "cuda", () -> Gpu.all(Gpu.Kind.CUDA));
    if (all) {
      addGpus(report, "emulated", () -> List.of(Gpu.of("emulated:0")));
    }
    streams.print(json ? Json.text(report.document()) : report.text());
    return 0;
  }

  private void addCpu(DevicesReport report) {
    HostResources host = HostResources.ofThisMachine();
    String isa = DeviceArguments.instructionSet().orElse("");
    DeviceOptions options = DeviceOptions.cpu(host.computeThreads()).withInstructionSet(isa);
    Map<Limit, Double> speeds = new EnumMap<>(Limit.class);
    String kernels;
    try (Device cpu = Device.open(options)) {
      kernels = cpu.instructionSet();
      obstacle(() -> measure(cpu, OF_CPU, speeds)).ifPresent(why -> report.miss("cpu", why));
    }
    report.add(
        new DevicesReport.Cpu(
            host.processor().orElseGet(() -> System.getProperty("os.arch")),
            kernels,
            host.computeThreads(),
            host.totalMemory(),
            host.availableMemory(),
            speeds));
  }

  private void addGpus(DevicesReport report, String kind, Supplier<List<Gpu>> known) {
    List<Gpu> gpus = new ArrayList<>();
    obstacle(() -> gpus.addAll(known.get())).ifPresent(why -> report.miss(kind, why));
    for (Gpu gpu : gpus) {
      Map<Limit, Double> speeds = new EnumMap<>(Limit.class);
      Optional<String> obstacle =
          gpu.obstacle()
              .or(() -> measure ? obstacle(() -> measure(gpu, speeds)) : Optional.empty());
      obstacle.ifPresent(why -> report.miss(gpu.device(), why));
      report.add(gpu, speeds);
    }
  }

  private void measure(Gpu gpu, Map<Limit, Double> speeds) {
    // Of the two ways to compute on an emulated one, that with the CPU's kernels is always there.
    String name = gpu.device() + (gpu.compute() == 0 ? "/host" : "");
    try (Device device = Device.open(DeviceOptions.cpu(1).withName(name))) {
      measure(device, OF_GPU, speeds);
    }
  }

  private void measure(Device device, List<Limit> limits, Map<Limit, Double> speeds) {
    if (measure) {
      for (Limit limit : limits) {
        device.limit(limit, MILLISECONDS).ifPresent(speed -> speeds.put(limit, speed));
      }
    }
  }

  /** What the library says if an attempt fails. */
  private static Optional<String> obstacle(Runnable attempt) {
    try {
      attempt.run();
      return Optional.empty();
    } catch (RuntimeFailure e) {
      return Optional.of(e.getMessage());
    }
  }
}
