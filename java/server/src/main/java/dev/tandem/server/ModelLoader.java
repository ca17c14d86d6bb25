package dev.tandem.server;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Weight;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.EngineBackend;
import dev.tandem.server.request.ModelCard;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalInt;

/** Loads a model file as the options say. */
public final class ModelLoader implements BackendLoader {

  private final Path file;
  private final ServerOptions options;
  private final String instructionSet;

  /**
   * @param instructionSet of the kernels; "" = the best of this machine
   */
  public ModelLoader(Path file, ServerOptions options, String instructionSet) {
    this.file = file;
    this.options = options;
    this.instructionSet = instructionSet;
  }

  @Override
  public Backend load(StartListener listener) {
    Model model = Model.open(file);
    EngineOptions engine = engine();
    MemoryPlan plan = MemoryPlan.of(model, options, engine, Engine.availableMemory(engine));
    listener.planned(plan);
    TandemModel loaded =
        TandemModel.load(model, engine.withKvTokens(plan.poolTokens()), listener::progress);
    try {
      loaded.awaitLoaded();
      return new EngineBackend(loaded, card(loaded, plan.contextTokens()));
    } catch (RuntimeException | Error e) {
      loaded.close();
      throw e;
    }
  }

  private EngineOptions engine() {
    HostResources machine = HostResources.ofThisMachine();
    int threads = options.model().threads().orElseGet(machine::computeThreads);
    return new EngineOptions(
        DeviceOptions.cpu(threads)
            .withName(options.model().device())
            .withMemoryLimit(options.model().gpuMemory().orElse(0L))
            .withInstructionSet(instructionSet),
        options.model().noRepack() ? WeightStore.Mode.MAPPED : WeightStore.Mode.TILES,
        OptionalInt.empty(),
        options.model().batchTokens(),
        options.model().parallel(),
        options.model().fastF16(),
        options.model().onDeviceLoss());
  }

  private ModelCard card(TandemModel loaded, int contextTokens) {
    Model model = loaded.model();
    OperatorGraph graph = model.graph();
    return new ModelCard(
        options.model().name().orElseGet(model::name),
        graph.hyperparameters().architecture(),
        format(graph),
        graph.parameters(),
        contextTokens,
        graph.hyperparameters().vocabulary(),
        !loaded.chatTemplate().isBaseModel(),
        "%s, %d thread%s, %s"
            .formatted(
                loaded.engine().device().name(),
                loaded.engine().device().threads(),
                loaded.engine().device().threads() == 1 ? "" : "s",
                loaded.engine().device().instructionSet()),
        SamplingOptions.seeded(0),
        seconds(file));
  }

  /** The format of most weights, by their number. */
  private static String format(OperatorGraph graph) {
    Map<String, Long> elements = new HashMap<>();
    for (Weight weight : graph.weights()) {
      elements.merge(weight.type().name(), weight.elements(), Long::sum);
    }
    return elements.entrySet().stream()
        .max(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse("");
  }

  private static long seconds(Path file) {
    try {
      return Files.getLastModifiedTime(file).toMillis() / 1000;
    } catch (IOException e) {
      return 0;
    }
  }
}
