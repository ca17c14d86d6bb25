package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Rotation;
import dev.tandem.model.graph.Value;
import dev.tandem.model.graph.Weight;
import dev.tandem.reference.Agreement;
import dev.tandem.reference.ReferenceModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Graphs and files that no Llama of ours has, but that others may: against the reference. */
class GraphVariantsTest {
  private static final ModelShape SHAPE =
      new ModelShape("variant", 2, 96, 6, 2, 16, 160, 300, 512, 10_000, false, 1e-5f);
  private static final int[] TOKENS = new Random(8).ints(40, 0, 300).toArray();

  // F32 weights: only the cache's rounding to f16 remains, 4e-8 a time (see ReferenceLogitsTest).
  private static final double TOLERANCE = 4e-7;

  @TempDir private Path folder;

  private Path file;

  static Iterable<String> instructionSets() {
    return Runs.instructionSets();
  }

  @BeforeEach
  void write() {
    file = folder.resolve("variant.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.F32));
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void pairsHalfAHeadApart(String instructionSet) {
    Model model =
        changed(operator ->
            operator instanceof Operator.Rope rope
                ? withRotation(rope, new Rotation(Rotation.Layout.NEOX, 16, 10_000, 1, none()))
                : operator);
    assertAgrees(model, instructionSet);
    assertDiffers(model, Model.open(file));
  }

  @ParameterizedTest
  @MethodSource("instructionSets")
  void aPartOfAHeadIsRotated(String instructionSet) {
    Path partial =
        new ModelCopy(file)
            .put("llama.rope.dimension_count", GgufValue.uint32(6))
            .write(folder.resolve("partial.gguf"));
    assertAgrees(Model.open(partial), instructionSet);
    assertDiffers(Model.open(partial), Model.open(file));
    Model halves =
        changed(operator ->
            operator instanceof Operator.Rope rope
                ? withRotation(rope, new Rotation(Rotation.Layout.NEOX, 6, 10_000, 1, none()))
                : operator);
    assertAgrees(halves, instructionSet);
  }

  /** Two kinds of rotation in one model, as those with local and global attention have. */
  @ParameterizedTest
  @MethodSource("instructionSets")
  void layersRotateDifferently(String instructionSet) {
    Rotation slow = new Rotation(Rotation.Layout.NEOX, 16, 1_000_000, 0.125, none());
    Model model =
        changed(operator ->
            operator instanceof Operator.Rope rope && rope.layer() == 1
                ? withRotation(rope, slow)
                : operator);
    assertAgrees(model, instructionSet);
  }

  /** The rotated queries and the others are both needed: the rotation must not be in place. */
  @ParameterizedTest
  @MethodSource("instructionSets")
  void aValueIsNeededBeforeAndAfterItsRotation(String instructionSet) {
    OperatorGraph graph = Model.open(file).graph();
    List<Operator> operators = new ArrayList<>();
    List<Value> values = new ArrayList<>(graph.values());
    Value sum = null;
    for (Operator operator : graph.operators()) {
      if (operator instanceof Operator.Attention a && a.layer() == 0) {
        operator =
            new Operator.Attention(
                a.layer(),
                a.name(),
                sum,
                a.key(),
                a.value(),
                a.heads(),
                a.kvHeads(),
                a.headSize(),
                a.scale(),
                a.output());
      }
      operators.add(operator);
      if (operator instanceof Operator.Rope rope && rope.name().equals("rope_q") && sum == null) {
        sum = new Value(values.size(), Value.Rows.TOKENS, rope.output().width());
        values.add(sum);
        operators.add(new Operator.ResidualAdd(0, "both", rope.output(), rope.input(), sum));
      }
    }
    Model model =
        new Model(
            Model.open(file).file(), new OperatorGraph(graph.hyperparameters(), operators, values));
    assertAgrees(model, instructionSet);
    assertDiffers(model, Model.open(file));
  }

  /** The same weights, wherever they lie in however many files. */
  @ParameterizedTest
  @ValueSource(ints = {1, 2, 32})
  void splitAndAlignedAsYouLike(int alignment) {
    for (TensorType format : List.of(TensorType.F16, TensorType.Q8_0, TensorType.F32)) {
      SyntheticModel.Options options = SyntheticModel.Options.of(format);
      Path whole = folder.resolve("whole.gguf");
      SyntheticModel.write(whole, SHAPE, options);
      Path split =
          SyntheticModel.writer(SHAPE, options)
              .put("general.alignment", GgufValue.uint32(alignment))
              .writeSplit(folder, "split" + format, 3)
              .get(1);
      for (String instructionSet : Runs.instructionSets()) {
        for (WeightStore.Mode mode : WeightStore.Mode.values()) {
          try (Engine a = Runs.load(Model.open(whole), Runs.options(2, instructionSet));
              Engine b = Runs.load(Model.open(split), Runs.options(2, instructionSet), mode)) {
            double[][] expected = Runs.logits(a, TOKENS);
            double[][] found = Runs.logits(b, TOKENS);
            for (int i = 0; i < TOKENS.length; i++) {
              assertArrayEquals(expected[i], found[i], instructionSet + " " + format + " " + mode);
            }
          }
        }
      }
    }
  }

  @Test
  void progressEndsWithAll() {
    List<Long> heard = new ArrayList<>();
    Model model = Model.open(file);
    try (Engine engine =
        Engine.load(
            model,
            Runs.options(2, Runs.instructionSets().getFirst()),
            (loaded, total) -> {
              heard.add(loaded);
              assertTrue(loaded <= total);
            })) {
      engine.awaitLoaded();
    }
    assertTrue(heard.size() > 10);
    assertArrayEquals(heard.stream().sorted().toArray(), heard.toArray());
    long total = model.graph().weights().stream().mapToLong(Weight::bytes).sum();
    assertTrue(heard.getLast() >= total, heard + " of " + total);
  }

  private static Optional<Weight> none() {
    return Optional.empty();
  }

  private static Operator.Rope withRotation(Operator.Rope rope, Rotation rotation) {
    return new Operator.Rope(
        rope.layer(), rope.name(), rope.input(), rope.headSize(), rotation, rope.output());
  }

  private Model changed(UnaryOperator<Operator> change) {
    Model model = Model.open(file);
    OperatorGraph graph = model.graph();
    List<Operator> operators = graph.operators().stream().map(change).toList();
    return new Model(
        model.file(), new OperatorGraph(graph.hyperparameters(), operators, graph.values()));
  }

  private static void assertAgrees(Model model, String instructionSet) {
    double[][] reference = new ReferenceModel(model).logits(TOKENS);
    try (Engine engine = Runs.load(model, Runs.options(2, instructionSet))) {
      Agreement agreement = Agreement.of(Runs.logits(engine, TOKENS), reference, 1);
      assertTrue(agreement.error() < TOLERANCE, agreement::toString);
    }
  }

  /** So that a variant is one, and not the same under another name. */
  private static void assertDiffers(Model model, Model other) {
    double[][] a = new ReferenceModel(model).logits(TOKENS);
    double[][] b = new ReferenceModel(other).logits(TOKENS);
    assertTrue(Agreement.of(a, b, 1).error() > 1e-3);
  }
}
