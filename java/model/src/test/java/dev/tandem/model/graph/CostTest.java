package dev.tandem.model.graph;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.model.ModelShape;
import dev.tandem.model.family.LlamaFile;
import dev.tandem.model.format.TensorType;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CostTest {
  /** Heads of 2 elements: queries are 8 wide, keys and values 4. */
  private static final ModelShape SMALL =
      new ModelShape("small", 2, 8, 4, 2, 2, 16, 10, 64, 10_000, true, 1e-5f);

  @TempDir private Path folder;

  /** 3 tokens after 2 others, logits for the last: figures that were computed by hand. */
  @Test
  void everyOperator() {
    OperatorGraph graph = graph(SMALL, TensorType.F32);
    List<String> costs =
        graph.operators().stream()
            .map(operator -> line(operator, operator.cost(Workload.prefill(3, 2))))
            .toList();
    List<String> layer0 =
        List.of(
            // kind, layer, name: FLOP, bytes of weights, of activations, of the cache
            "norm 0 attn_norm: 96 32 192 0",
            "matmul 0 attn_q: 384 256 192 0",
            "matmul 0 attn_k: 192 128 144 0",
            "matmul 0 attn_v: 192 128 144 0",
            "rope 0 rope_q: 72 0 192 0",
            "rope 0 rope_k: 36 0 96 0",
            "attention 0 attention: 384 0 288 128", // 3 + 4 + 5 pairs; 5 positions read, 3 written
            "matmul 0 attn_output: 384 256 192 0",
            "residual add 0 add_attention: 24 0 288 0",
            "norm 0 ffn_norm: 96 32 192 0",
            "matmul 0 ffn_gate: 768 512 288 0",
            "matmul 0 ffn_up: 768 512 288 0",
            "gated activation 0 ffn_act: 384 0 576 0",
            "matmul 0 ffn_down: 768 512 288 0",
            "residual add 0 add_ffn: 24 0 288 0");
    List<String> layer1 = // one row only, once attention is done
        List.of(
            "norm 1 attn_norm: 96 32 192 0",
            "matmul 1 attn_q: 384 256 192 0",
            "matmul 1 attn_k: 192 128 144 0",
            "matmul 1 attn_v: 192 128 144 0",
            "rope 1 rope_q: 72 0 192 0",
            "rope 1 rope_k: 36 0 96 0",
            "attention 1 attention: 384 0 288 128",
            "output rows 1 rows_attention: 0 0 64 0",
            "output rows 1 rows_residual: 0 0 64 0",
            "matmul 1 attn_output: 128 256 64 0",
            "residual add 1 add_attention: 8 0 96 0",
            "norm 1 ffn_norm: 32 32 64 0",
            "matmul 1 ffn_gate: 256 512 96 0",
            "matmul 1 ffn_up: 256 512 96 0",
            "gated activation 1 ffn_act: 128 0 192 0",
            "matmul 1 ffn_down: 256 512 96 0",
            "residual add 1 add_ffn: 8 0 96 0");
    assertEquals("embedding -1 token_embd: 0 96 96 0", costs.getFirst());
    assertEquals(layer0, costs.subList(1, 16));
    assertEquals(layer1, costs.subList(16, 33));
    assertEquals(
        List.of("norm -1 output_norm: 32 32 64 0", "output head -1 output: 160 320 72 0"),
        costs.subList(33, 35));
    assertEquals(35, costs.size());
  }

  @Test
  void biasesAreAddedAndRead() {
    LlamaFile file = new LlamaFile(SMALL, TensorType.F32);
    file.tensor("blk.0.attn_q.bias", TensorType.F32, 8);
    OperatorGraph graph = file.open(folder.resolve("biases.gguf")).graph();
    Workload workload = Workload.prefill(3, 2);
    Cost without = graph(SMALL, TensorType.F32).cost(workload);
    Cost with = graph.cost(workload);
    assertEquals(
        new Cost(
            without.flops() + 24,
            without.weightBytes() + 32,
            without.activationBytes(),
            without.kvBytes()),
        with);
  }

  /** What is not computed reads no weights: a chunk of a prompt ends with the last attention. */
  @Test
  void noOutputsCostNothing() {
    Workload chunk = new Workload(3, 1, 5, 0);
    List<Operator> operators = graph(SMALL, TensorType.F32).operators();
    for (Operator operator : operators.subList(23, operators.size())) {
      assertEquals(Cost.NONE, operator.cost(chunk), operator.name());
    }
    Cost nothing = graph(SMALL, TensorType.F32).cost(new Workload(0, 0, 0, 0));
    assertEquals(Cost.NONE, nothing);
  }

  /** Parameters are those that the models' makers state. */
  @ParameterizedTest
  @CsvSource({
    "llama-3.2-1b, 1235814400, 32768",
    "llama-3-8b, 8030261248, 131072",
    "tinyllama-1.1b, 1100048384, 22528",
    "smollm2-135m, 134515008, 23040"
  })
  void knownModels(String name, long parameters, long kvBytesPerPosition) {
    ModelShape shape = ModelShape.named(name);
    OperatorGraph graph = graph(shape, TensorType.BF16);
    assertEquals(parameters, graph.parameters());
    assertEquals(kvBytesPerPosition, graph.kvBytesPerPosition());

    // Two operations per parameter that is multiplied; the rest is less than one in a hundred.
    long multiplied = shape.tiedEmbeddings() ? parameters : parameters - embeddings(shape);
    Cost first = graph.cost(Workload.decode(1, 1));
    assertEquals(1, first.flops() / (2.0 * multiplied), 0.01);
    // A step reads every weight once, and the embedding of its token.
    double norms = 2.0 * shape.width() * (2 * shape.layers() + 1); // F32, not BF16
    double row = 2.0 * shape.width();
    assertEquals(2.0 * multiplied + norms + row, first.weightBytes());
    // 16 tokens at once compute 16 times as much of the same weights.
    Cost batch = graph.cost(Workload.decode(16, 1));
    assertEquals(16 * first.flops(), batch.flops());
    assertEquals(first.weightBytes() + 15 * row, batch.weightBytes());
    // 1000 positions more: query times key and probability times value, for every head.
    Cost later = graph.cost(Workload.decode(1, 1001));
    double perPosition = 4.0 * shape.layers() * shape.queryWidth();
    assertEquals(1000 * perPosition, later.flops() - first.flops());
    assertEquals(1000.0 * kvBytesPerPosition, later.kvBytes() - first.kvBytes());
    assertEquals(first.weightBytes(), later.weightBytes());
  }

  private static long embeddings(ModelShape shape) {
    return (long) shape.vocabulary() * shape.width();
  }

  private OperatorGraph graph(ModelShape shape, TensorType type) {
    return new LlamaFile(shape, type).open(folder.resolve(shape.name() + ".gguf")).graph();
  }

  private static String line(Operator operator, Cost cost) {
    return String.format(
        Locale.ROOT,
        "%s %d %s: %.0f %.0f %.0f %.0f",
        operator.kind(),
        operator.layer(),
        operator.name(),
        cost.flops(),
        cost.weightBytes(),
        cost.activationBytes(),
        cost.kvBytes());
  }
}
