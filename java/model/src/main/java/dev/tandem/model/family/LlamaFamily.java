package dev.tandem.model.family;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.graph.GraphBuilder;
import dev.tandem.model.graph.Hyperparameters;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Rotation;
import dev.tandem.model.graph.Value;
import dev.tandem.model.graph.Weight;
import java.util.Optional;

/** Llama 1, 2, 3 and 3.x, and what is built like them: Mistral, TinyLlama, SmolLM ... */
final class LlamaFamily implements Family {

  @Override
  public String architecture() {
    return "llama";
  }

  @Override
  public OperatorGraph graph(GgufFile file) {
    GgufMetadata metadata = file.metadata();
    if (metadata.findInteger("llama.expert_count").orElse(0) > 0) {
      throw metadata.problem("llama.expert_count", "models with experts are not supported yet");
    }
    GraphBuilder g = new GraphBuilder(file);
    Hyperparameters sizes = Hyperparameters.read(metadata, g.rowsOf("token_embd.weight"));
    double epsilon = metadata.real("llama.attention.layer_norm_rms_epsilon");
    if (!(epsilon >= 0 && epsilon < 1)) {
      throw metadata.problem(
          "llama.attention.layer_norm_rms_epsilon", epsilon + " is not between 0 and 1");
    }
    double scale = 1 / Math.sqrt(sizes.headSize());
    Rotation rotation = rotation(file, g, sizes);

    Value x = g.embedding("token_embd.weight", sizes);
    for (int layer = 0; layer < sizes.layers(); layer++) {
      String block = "blk." + layer + ".";
      g.layer(layer);
      Value n = g.norm(x, block + "attn_norm.weight", epsilon);
      Value q = g.matMul(n, block + "attn_q", sizes.heads() * sizes.headSize());
      Value k = g.matMul(n, block + "attn_k", sizes.kvHeads() * sizes.headSize());
      Value v = g.matMul(n, block + "attn_v", sizes.kvHeads() * sizes.headSize());
      q = g.rope("rope_q", q, sizes.headSize(), rotation);
      k = g.rope("rope_k", k, sizes.headSize(), rotation);
      Value a = g.attention(q, k, v, sizes, scale);
      if (layer == sizes.layers() - 1) {
        a = g.outputRows("rows_attention", a);
        x = g.outputRows("rows_residual", x);
      }
      x = g.add("add_attention", x, g.matMul(a, block + "attn_output", sizes.width()));
      n = g.norm(x, block + "ffn_norm.weight", epsilon);
      Value gate = g.matMul(n, block + "ffn_gate", sizes.feedForward());
      Value up = g.matMul(n, block + "ffn_up", sizes.feedForward());
      Value h = g.gated("ffn_act", gate, up);
      x = g.add("add_ffn", x, g.matMul(h, block + "ffn_down", sizes.width()));
    }
    g.noLayer();
    x = g.norm(x, "output_norm.weight", epsilon);
    boolean tied = file.find("output.weight").isEmpty();
    g.outputHead(x, tied ? "token_embd.weight" : "output.weight", sizes);
    return g.build(sizes);
  }

  private static Rotation rotation(GgufFile file, GraphBuilder g, Hyperparameters sizes) {
    GgufMetadata metadata = file.metadata();
    long dimensions = metadata.findInteger("llama.rope.dimension_count").orElse(sizes.headSize());
    if (dimensions < 2 || dimensions % 2 != 0 || dimensions > sizes.headSize()) {
      throw metadata.problem(
          "llama.rope.dimension_count",
          "%d is no even number between 2 and the head size of %d"
              .formatted(dimensions, sizes.headSize()));
    }
    double base = metadata.findReal("llama.rope.freq_base").orElse(10_000);
    requirePositive(metadata, "llama.rope.freq_base", base);
    Optional<Weight> divisors =
        file.find("rope_freqs.weight").map(t -> g.floats(t.name(), (int) dimensions / 2));
    return new Rotation(
        Rotation.Layout.NORM, (int) dimensions, base, positionScale(metadata), divisors);
  }

  /**
   * 1 / factor for linear scaling, 1 for none; a factor without a type means linear, a factor of 0
   * none.
   */
  private static double positionScale(GgufMetadata metadata) {
    String type = metadata.findString("llama.rope.scaling.type").orElse("linear");
    if (!type.equals("linear") && !type.equals("none")) {
      throw metadata.problem(
          "llama.rope.scaling.type", "'" + type + "' is not supported; supported: none, linear");
    }
    String key =
        metadata.contains("llama.rope.scaling.factor")
            ? "llama.rope.scaling.factor"
            : "llama.rope.scale_linear";
    double factor = metadata.findReal(key).orElse(0);
    if (factor == 0) {
      return 1;
    }
    requirePositive(metadata, key, factor);
    return type.equals("none") ? 1 : 1 / factor;
  }

  private static void requirePositive(GgufMetadata metadata, String key, double value) {
    if (!(value > 0 && value < Double.POSITIVE_INFINITY)) {
      throw metadata.problem(key, value + " is not a positive number");
    }
  }
}
