package dev.tandem.engine.program;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Weight;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.ProgramWriter;
import dev.tandem.runtime.WeightFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The weights of a model on a device. Matrices lie in tiles, or in plain layout, mapped from the
 * file or read into memory; vectors are float32. Every tensor lies there once, also if two
 * operators read it.
 */
public final class WeightStore implements AutoCloseable {

  /** How matrices are kept. */
  public enum Mode {
    /** Read once and laid out for the kernels: the fastest way to compute. */
    TILES,
    /**
     * Left in the mapped file: ready at once, pages shared between processes, slower. Those that
     * the file does not align to 8 bytes are read into memory all the same.
     */
    MAPPED,
    /** In the file's layout, read into memory. */
    PLAIN
  }

  /** Hears how far loading is. */
  @FunctionalInterface
  public interface Progress {
    void loaded(long bytes, long total);
  }

  /**
   * Where a tensor lies, or will. {@code arenaOffset} is -1 for one that stays in its file; {@code
   * stage}: which is loaded when this is.
   */
  private record Home(Weight weight, int stage, ElementType type, Layout layout, long arenaOffset) {
    boolean mapped() {
      return arenaOffset < 0;
    }
  }

  private static final long ALIGNMENT = 4096;

  /** Of what has the count of the stages that are loaded, which host and device share. */
  private static final long COUNT_BYTES = ALIGNMENT;

  /**
   * What kernels need of an address, whatever the type; files have 32 unless they say otherwise.
   */
  static final int MAPPED_ALIGNMENT = 8;

  private final GgufFile file;
  private final Map<String, Integer> stageOf = new HashMap<>();
  private int stages;
  private final Map<String, Home> homes = new LinkedHashMap<>();
  private final List<WeightFile> parts = new ArrayList<>();
  private final Map<Integer, DeviceBuffer> windows = new LinkedHashMap<>();
  private Optional<DeviceBuffer> arena = Optional.empty();
  private Optional<DeviceBuffer> count = Optional.empty();
  private Optional<WeightLoader> loader = Optional.empty();
  private long arenaBytes;

  /**
   * Decides where every weight of the graph goes; reads nothing yet.
   *
   * @param fastF16 F16 matrices become BF16 where they lie in tiles, but for the output head, which
   *     computes few rows and would lose accuracy alone
   * @throws ModelFormatException naming a tensor whose type devices do not compute with
   */
  public WeightStore(GgufFile file, OperatorGraph graph, Mode mode, boolean fastF16) {
    this.file = file;
    chooseStages(graph);
    for (Operator operator : graph.operators()) {
      switch (operator) {
        case Operator.MatMul m -> {
          matrix(m.weight(), mode, fastF16);
          m.bias().ifPresent(this::vector);
        }
        case Operator.OutputHead h -> matrix(h.weight(), mode, false);
        case Operator.Norm n -> vector(n.weight());
        case Operator.Embedding e -> {}
        case Operator.Rope r -> {}
        case Operator.Attention a -> {}
        case Operator.GatedActivation g -> {}
        case Operator.ResidualAdd a -> {}
        case Operator.OutputRows o -> {}
      }
    }
    // Last, so that a table that is the output head as well is there once, as the head wants it;
    // one that is only read row by row needs no tiles.
    for (Operator operator : graph.operators()) {
      if (operator instanceof Operator.Embedding e) {
        matrix(e.table(), mode == Mode.TILES ? Mode.PLAIN : mode, false);
      }
    }
  }

  /** Bytes of device memory that the weights take. */
  public long bytes() {
    return arenaBytes + COUNT_BYTES;
  }

  /**
   * Begins to bring the weights to the device; returns at once. Programs await what they need: see
   * {@link #declareLoaded}.
   */
  public void load(Device device, Progress progress) {
    for (Path part : file.parts()) {
      parts.add(WeightFile.open(part));
    }
    DeviceBuffer memory = device.allocate(arenaBytes);
    arena = Optional.of(memory);
    DeviceBuffer loaded = device.allocateShared(COUNT_BYTES);
    count = Optional.of(loaded);
    List<WeightLoader.Piece> pieces = new ArrayList<>();
    homes.values().stream()
        .sorted(Comparator.comparingInt(Home::stage))
        .forEach(home -> {
          TensorInfo tensor = file.tensor(home.weight().name());
          WeightFile part = parts.get(tensor.part());
          if (home.mapped()) {
            windows.computeIfAbsent(tensor.part(), index -> device.window(part, 0, part.size()));
          } else {
            pieces.addAll(
                WeightLoader.pieces(
                    home.stage(),
                    part,
                    tensor.offset(),
                    weightType(home.weight()),
                    home.weight(),
                    home.arenaOffset(),
                    home.type(),
                    home.layout()));
          }
        });
    loader =
        Optional.of(new WeightLoader(memory, loaded, pieces, stages, device.threads(), progress));
  }

  /** How loading goes on, once it has begun. */
  public WeightLoader loading() {
    return loader.orElseThrow();
  }

  /** What must be loaded before an operator can run: a value for {@link #declareLoaded}. */
  int stage(Operator operator) {
    return operator.weights().stream()
        .filter(weight -> homes.containsKey(weight.name()))
        .mapToInt(weight -> homes.get(weight.name()).stage())
        .max()
        .orElse(0);
  }

  /** Declares the int32 that counts the stages that are loaded, for programs to await. */
  ProgramWriter.Tensor declareLoaded(ProgramWriter program) {
    return program.tensor(count.orElseThrow(), 0, ElementType.I32, Layout.PLAIN, 1, 1);
  }

  /** The type in which a weight lies in memory. */
  ElementType type(Weight weight) {
    return homes.get(weight.name()).type();
  }

  /** How a weight lies in memory. */
  Layout layout(Weight weight) {
    return homes.get(weight.name()).layout();
  }

  /** Declares a weight in a program. */
  ProgramWriter.Tensor declare(ProgramWriter program, Weight weight) {
    Home home = homes.get(weight.name());
    TensorInfo tensor = file.tensor(weight.name());
    return program.tensor(
        home.mapped() ? windows.get(tensor.part()) : arena.orElseThrow(),
        home.mapped() ? tensor.offset() : home.arenaOffset(),
        home.type(),
        home.layout(),
        weight.rows(),
        weight.columns());
  }

  /** Ends loading, if it is not over, and gives back what is loaded. */
  @Override
  public void close() {
    loader.ifPresent(WeightLoader::close);
    arena.ifPresent(DeviceBuffer::close);
    count.ifPresent(DeviceBuffer::close);
    windows.values().forEach(DeviceBuffer::close);
    parts.forEach(WeightFile::close);
  }

  /**
   * A stage is a layer, or the operators between two; weights belong to the first that reads them.
   */
  private void chooseStages(OperatorGraph graph) {
    int layer = Operator.NO_LAYER;
    for (Operator operator : graph.operators()) {
      if (!operator.weights().isEmpty()) {
        if (stages == 0 || operator.layer() != layer) {
          stages++;
          layer = operator.layer();
        }
        operator.weights().forEach(weight -> stageOf.putIfAbsent(weight.name(), stages));
      }
    }
  }

  private void matrix(Weight weight, Mode mode, boolean asBf16) {
    ElementType inFile = weightType(weight);
    boolean converted = asBf16 && inFile == ElementType.F16 && mode == Mode.TILES;
    ElementType type = converted ? ElementType.BF16 : inFile;
    boolean mapped =
        mode == Mode.MAPPED && file.tensor(weight.name()).offset() % MAPPED_ALIGNMENT == 0;
    put(weight, type, mode == Mode.TILES ? Layout.TILES : Layout.PLAIN, mapped);
  }

  private void vector(Weight weight) {
    weightType(weight);
    put(weight, ElementType.F32, Layout.PLAIN, false);
  }

  private void put(Weight weight, ElementType type, Layout layout, boolean mapped) {
    if (homes.containsKey(weight.name())) {
      return;
    }
    long bytes = type.bytes(layout, weight.rows(), weight.columns());
    int stage = stageOf.get(weight.name());
    homes.put(weight.name(), new Home(weight, stage, type, layout, mapped ? -1 : arenaBytes));
    if (!mapped) {
      arenaBytes = Math.ceilDiv(Math.addExact(arenaBytes, bytes), ALIGNMENT) * ALIGNMENT;
    }
  }

  private ElementType weightType(Weight weight) {
    return ElementType.ofWeight(weight.type().id())
        .orElseThrow(() ->
            new ModelFormatException(
                file.parts().getFirst(),
                -1,
                "tensor " + weight.name(),
                "type %s is not supported; supported: %s"
                    .formatted(weight.type(), ElementType.weightNames())));
  }
}
