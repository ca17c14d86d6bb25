package dev.tandem.model.family;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.TestData;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.model.gguf.TensorInfo;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Rotation;
import dev.tandem.model.graph.Value;
import dev.tandem.model.graph.Weight;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class LlamaFamilyTest {
  private static final ModelShape SHAPE =
      new ModelShape("small", 3, 24, 6, 2, 4, 40, 10, 64, 10_000, true, 1e-5f);

  @TempDir private Path folder;

  static List<Path> goldens() {
    return TestData.models("golden").stream()
        .filter(file -> file.getFileName().toString().startsWith("llama"))
        .toList();
  }

  /** YaRN alone is not supported; every tensor of the others has its place in the graph. */
  @ParameterizedTest
  @MethodSource("goldens")
  void goldenModels(Path file) {
    if (file.getFileName().toString().startsWith("llama-yarn")) {
      ModelFormatException e =
          Assertions.assertThrows(ModelFormatException.class, () -> Model.open(file));
      assertEquals("llama.rope.scaling.type", e.field());
      return;
    }
    Model model = Model.open(file);
    Set<String> used =
        model.graph().weights().stream().map(Weight::name).collect(Collectors.toSet());
    assertEquals(new TreeSet<>(model.file().tensors().keySet()), new TreeSet<>(used));
    long elements = model.file().tensors().values().stream().mapToLong(TensorInfo::elements).sum();
    assertEquals(elements, model.graph().parameters());
    assertRunnable(model.graph());
  }

  @Test
  void readsLikeTheDiagram() {
    OperatorGraph graph = file().open(path()).graph();
    assertRunnable(graph);
    List<String> names = graph.operators().stream().map(Operator::name).toList();
    assertEquals("token_embd", names.getFirst());
    assertEquals(
        List.of(
            "attn_norm",
            "attn_q",
            "attn_k",
            "attn_v",
            "rope_q",
            "rope_k",
            "attention",
            "attn_output",
            "add_attention",
            "ffn_norm",
            "ffn_gate",
            "ffn_up",
            "ffn_act",
            "ffn_down",
            "add_ffn"),
        names.subList(1, 16));
    assertEquals("output", names.getLast());
    assertEquals(10, graph.logits().width());
    assertEquals(Value.Rows.OUTPUTS, graph.logits().rows());
    assertEquals(3, graph.attentions().size());
    Operator.Attention attention = graph.attentions().getFirst();
    assertEquals(6, attention.heads());
    assertEquals(2, attention.kvHeads());
    assertEquals(4, attention.headSize());
    assertEquals(0.5, attention.scale());
  }

  @Test
  void tiedOrNot() {
    assertEquals("token_embd.weight", head(file()).name());
    LlamaFile untied = file().tensor("output.weight", TensorType.F16, 24, 10);
    assertEquals(new Weight("output.weight", TensorType.F16, 10, 24), head(untied));
  }

  /** Head sizes, KV heads and the base of the rotation have values where the file says nothing. */
  @Test
  void whatTheFileDoesNotSay() {
    ModelShape plain = new ModelShape("plain", 1, 24, 6, 6, 4, 40, 10, 64, 10_000, true, 1e-5f);
    LlamaFile file =
        new LlamaFile(plain, TensorType.F32)
            .without("llama.attention.head_count_kv")
            .without("llama.attention.key_length")
            .without("llama.attention.value_length")
            .without("llama.rope.dimension_count")
            .without("llama.rope.freq_base");
    OperatorGraph graph = file.open(path()).graph();
    assertEquals(6, graph.hyperparameters().kvHeads());
    assertEquals(4, graph.hyperparameters().headSize());
    Rotation rotation = rotation(file);
    assertEquals(4, rotation.dimensions());
    assertEquals(10_000, rotation.base());
    assertEquals(1, rotation.scale());
    assertTrue(rotation.divisors().isEmpty());
  }

  @Test
  void biasesWhereTheFileHasThem() {
    LlamaFile file = file().tensor("blk.1.attn_q.bias", TensorType.F32, 24);
    List<Operator.MatMul> biased =
        file.open(path()).graph().operators().stream()
            .filter(Operator.MatMul.class::isInstance)
            .map(Operator.MatMul.class::cast)
            .filter(matMul -> matMul.bias().isPresent())
            .toList();
    assertEquals(1, biased.size());
    assertEquals("attn_q", biased.getFirst().name());
    assertEquals(1, biased.getFirst().layer());
    assertEquals(
        new Weight("blk.1.attn_q.bias", TensorType.F32, 1, 24),
        biased.getFirst().bias().orElseThrow());
  }

  @Test
  void scalingOfPositions() {
    assertEquals(1, rotation(file()).scale());
    GgufValue four = GgufValue.float32(4);
    LlamaFile typed = file().put("llama.rope.scaling.type", GgufValue.text("linear"));
    assertEquals(0.25, rotation(typed.put("llama.rope.scaling.factor", four)).scale());
    assertEquals(0.25, rotation(file().put("llama.rope.scaling.factor", four)).scale());
    assertEquals(0.25, rotation(file().put("llama.rope.scale_linear", four)).scale());
    LlamaFile none = file().put("llama.rope.scaling.type", GgufValue.text("none"));
    assertEquals(1, rotation(none.put("llama.rope.scaling.factor", four)).scale());
    GgufValue zero = GgufValue.float32(0);
    assertEquals(1, rotation(file().put("llama.rope.scaling.factor", zero)).scale());
    assertEquals(1, rotation(typed.put("llama.rope.scaling.factor", zero)).scale());
    assertEquals(1, rotation(file().put("llama.rope.scale_linear", zero)).scale());
  }

  @Test
  void divisorsOfTheRotation() {
    LlamaFile file = file().tensor("rope_freqs.weight", TensorType.F32, 2);
    assertEquals(
        new Weight("rope_freqs.weight", TensorType.F32, 1, 2),
        rotation(file).divisors().orElseThrow());
  }

  @Test
  void aPartOfAHeadIsRotated() {
    LlamaFile file = file().put("llama.rope.dimension_count", GgufValue.uint32(2));
    assertEquals(2, rotation(file).dimensions());
  }

  /** Every value is written once, before it is read; rows change only where they are chosen. */
  private static void assertRunnable(OperatorGraph graph) {
    Set<Value> written = new HashSet<>();
    Set<String> names = new HashSet<>();
    for (Operator operator : graph.operators()) {
      assertTrue(written.containsAll(operator.inputs()), operator.name());
      assertTrue(written.add(operator.output()), operator.name());
      assertTrue(names.add(operator.layer() + operator.name()), operator.name());
      for (Value input : operator.inputs()) {
        boolean chosen = operator instanceof Operator.OutputRows;
        assertEquals(!chosen, input.rows() == operator.output().rows(), operator.name());
      }
      assertFalse(operator.kind().isEmpty());
    }
    assertEquals(Set.copyOf(graph.values()), written);
  }

  private Rotation rotation(LlamaFile file) {
    List<Rotation> rotations =
        file.open(path()).graph().operators().stream()
            .filter(Operator.Rope.class::isInstance)
            .map(operator -> ((Operator.Rope) operator).rotation())
            .distinct()
            .toList();
    assertEquals(1, rotations.size());
    return rotations.getFirst();
  }

  private Weight head(LlamaFile file) {
    return ((Operator.OutputHead) file.open(path()).graph().operators().getLast()).weight();
  }

  private static LlamaFile file() {
    return new LlamaFile(SHAPE, TensorType.F16);
  }

  private Path path() {
    return folder.resolve("model.gguf");
  }
}
