package dev.tandem.model;

import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.RandomBits;
import dev.tandem.model.format.RandomBlocks;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * Models of architecture {@code llama} with random weights, for benchmarks and tests: any shape,
 * any format, and the vocabulary of {@link SyntheticVocabulary}.
 *
 * <p>Matrices have a standard deviation of 1 / sqrt(columns) and norms lie around 1, so that
 * activations keep their size from layer to layer and logits are of the order of 1. Equal shapes
 * and options give equal bytes, whatever the machine. Weights are made while they are written, so
 * the memory needed does not grow with the model.
 */
public final class SyntheticModel {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final double BIAS_DEVIATION = 0.1;
  private static final float NORM_SPREAD = 0.2f;

  private final ModelShape shape;
  private final Options options;
  private final GgufWriter writer = new GgufWriter();
  private final Map<String, TensorType> fallbacks = new LinkedHashMap<>();
  private long parameters;

  /** Which linear layers add a bias. */
  public enum Biases {
    /** None, as in Llama. */
    NONE,
    /** Query, key, value and output projections. */
    ATTENTION,
    /** Those, and gate, up and down. */
    ALL
  }

  /**
   * What to make.
   *
   * @param matrices the format of all matrices; vectors are F32
   * @param embeddings another format for the embedding matrix
   * @param output another format for the output head, where it is not tied
   * @param seed equal seeds give equal weights
   * @param biases which linear layers have one
   * @param ropeFactors whether {@code rope_freqs} stretches the slow frequencies as in Llama 3.1
   * @param linearScaling the factor of a linear scaling of positions, if any
   */
  public record Options(
      TensorType matrices,
      Optional<TensorType> embeddings,
      Optional<TensorType> output,
      long seed,
      Biases biases,
      boolean ropeFactors,
      OptionalDouble linearScaling) {
    /** All matrices in one format, seed 1, nothing that Llama does not have. */
    public static Options of(TensorType matrices) {
      return new Options(
          matrices,
          Optional.empty(),
          Optional.empty(),
          1,
          Biases.NONE,
          false,
          OptionalDouble.empty());
    }

    /** With another format for the embedding matrix. */
    public Options withEmbeddings(TensorType type) {
      return new Options(
          matrices, Optional.of(type), output, seed, biases, ropeFactors, linearScaling);
    }

    /** With another format for the output head. */
    public Options withOutput(TensorType type) {
      return new Options(
          matrices, embeddings, Optional.of(type), seed, biases, ropeFactors, linearScaling);
    }

    /** With other weights. */
    public Options withSeed(long other) {
      return new Options(matrices, embeddings, output, other, biases, ropeFactors, linearScaling);
    }

    /** With biases. */
    public Options withBiases(Biases kind) {
      return new Options(matrices, embeddings, output, seed, kind, ropeFactors, linearScaling);
    }

    /** With {@code rope_freqs}. */
    public Options withRopeFactors() {
      return new Options(matrices, embeddings, output, seed, biases, true, linearScaling);
    }

    /** With positions divided by a factor. */
    public Options withLinearScaling(double factor) {
      return new Options(
          matrices, embeddings, output, seed, biases, ropeFactors, OptionalDouble.of(factor));
    }
  }

  /**
   * What has been written.
   *
   * @param file the model
   * @param bytes its size
   * @param parameters the elements of all its tensors
   * @param fallbacks the tensors whose rows the wanted format's blocks do not divide, with the
   *     format that they have instead
   */
  public record Result(Path file, long bytes, long parameters, Map<String, TensorType> fallbacks) {}

  private SyntheticModel(ModelShape shape, Options options) {
    this.shape = shape;
    this.options = options;
  }

  /**
   * Writes a model to one file, which replaces an older one of that name.
   *
   * @throws IllegalArgumentException if there is no codec for a format, or the vocabulary is too
   *     small
   * @throws UncheckedIOException if the file cannot be written
   */
  public static Result write(Path file, ModelShape shape, Options options) {
    SyntheticModel model = new SyntheticModel(shape, options);
    model.declare();
    model.writer.write(file);
    try {
      return new Result(file, Files.size(file), model.parameters, Map.copyOf(model.fallbacks));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A writer to which the model is declared, to be written otherwise than to one file. */
  public static GgufWriter writer(ModelShape shape, Options options) {
    SyntheticModel model = new SyntheticModel(shape, options);
    model.declare();
    return model.writer;
  }

  private void declare() {
    metadata();
    SyntheticVocabulary.of(shape.vocabulary()).addTo(writer);
    TensorType embeddings = options.embeddings.orElse(options.matrices);
    matrix("token_embd.weight", embeddings, shape.width(), shape.vocabulary());
    if (options.ropeFactors) {
      ropeFactors();
    }
    for (int layer = 0; layer < shape.layers(); layer++) {
      layer("blk." + layer + ".");
    }
    norm("output_norm.weight");
    if (!shape.tiedEmbeddings()) {
      TensorType output = options.output.orElse(options.matrices);
      matrix("output.weight", output, shape.width(), shape.vocabulary());
    }
  }

  private void layer(String block) {
    boolean attention = options.biases != Biases.NONE;
    boolean all = options.biases == Biases.ALL;
    norm(block + "attn_norm.weight");
    linear(block + "attn_q", shape.width(), shape.queryWidth(), attention);
    linear(block + "attn_k", shape.width(), shape.kvWidth(), attention);
    linear(block + "attn_v", shape.width(), shape.kvWidth(), attention);
    linear(block + "attn_output", shape.queryWidth(), shape.width(), attention);
    norm(block + "ffn_norm.weight");
    linear(block + "ffn_gate", shape.width(), shape.feedForward(), all);
    linear(block + "ffn_up", shape.width(), shape.feedForward(), all);
    linear(block + "ffn_down", shape.feedForward(), shape.width(), all);
  }

  private void metadata() {
    writer
        .put("general.architecture", GgufValue.text("llama"))
        .put("general.name", GgufValue.text("synthetic " + shape.name()))
        .put("llama.context_length", GgufValue.uint32(shape.context()))
        .put("llama.embedding_length", GgufValue.uint32(shape.width()))
        .put("llama.block_count", GgufValue.uint32(shape.layers()))
        .put("llama.feed_forward_length", GgufValue.uint32(shape.feedForward()))
        .put("llama.attention.head_count", GgufValue.uint32(shape.heads()))
        .put("llama.attention.head_count_kv", GgufValue.uint32(shape.kvHeads()))
        .put("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(shape.normEpsilon()))
        .put("llama.rope.freq_base", GgufValue.float32(shape.ropeBase()))
        .put("llama.rope.dimension_count", GgufValue.uint32(shape.headSize()))
        .put("llama.vocab_size", GgufValue.uint32(shape.vocabulary()));
    if (shape.queryWidth() != shape.width()) {
      writer
          .put("llama.attention.key_length", GgufValue.uint32(shape.headSize()))
          .put("llama.attention.value_length", GgufValue.uint32(shape.headSize()));
    }
    options.linearScaling.ifPresent(factor ->
        writer
            .put("llama.rope.scaling.type", GgufValue.text("linear"))
            .put("llama.rope.scaling.factor", GgufValue.float32((float) factor)));
    writer.put("general.quantization_version", GgufValue.uint32(2));
  }

  private void linear(String name, int columns, int rows, boolean bias) {
    matrix(name + ".weight", options.matrices, columns, rows);
    if (bias) {
      random(name + ".bias", TensorType.F32, List.of((long) rows), BIAS_DEVIATION);
    }
  }

  private void matrix(String name, TensorType wanted, int columns, int rows) {
    TensorType type = wanted;
    if (columns % type.blockElements() != 0) {
      boolean fits = columns % TensorType.Q8_0.blockElements() == 0;
      type = fits ? TensorType.Q8_0 : TensorType.F16;
      fallbacks.put(name, type);
    }
    random(name, type, List.of((long) columns, (long) rows), 1 / Math.sqrt(columns));
  }

  private void norm(String name) {
    RandomBits random = new RandomBits(options.seed, name);
    float[] weights = new float[shape.width()];
    for (int i = 0; i < weights.length; i++) {
      weights[i] = 1 + NORM_SPREAD * random.symmetric();
    }
    vector(name, weights);
  }

  /**
   * The factors by which Llama 3.1 divides its rotary frequencies: 1 for wavelengths far below the
   * 8,192 tokens it was first trained for, 8 for those beyond, smooth between.
   */
  private void ropeFactors() {
    double context = 8192;
    double[] waves = {1, 4}; // Whole waves in that context at which stretching ends and begins.
    float[] factors = new float[shape.headSize() / 2];
    for (int i = 0; i < factors.length; i++) {
      double frequency = StrictMath.pow(shape.ropeBase(), -2.0 * i / shape.headSize());
      double inContext = context * frequency / (2 * Math.PI);
      double smooth = Math.clamp((inContext - waves[0]) / (waves[1] - waves[0]), 0.0, 1.0);
      factors[i] = (float) (1 / ((1 - smooth) / 8 + smooth));
    }
    vector("rope_freqs.weight", factors);
  }

  private void vector(String name, float[] values) {
    byte[] bytes = BlockCodec.of(TensorType.F32).encode(values);
    writer.tensor(name, TensorType.F32, List.of((long) values.length), bytes);
    parameters += values.length;
  }

  private void random(String name, TensorType type, List<Long> shape, double deviation) {
    BlockCodec.of(type); // Refuses a format that cannot be made before anything is written.
    long elements = shape.stream().reduce(1L, Math::multiplyExact);
    long bytes = type.rowBytes(elements);
    parameters += elements;
    writer.tensor(name, type, shape, out -> fill(out, name, type, bytes, deviation));
  }

  private void fill(
      WritableByteChannel out, String name, TensorType type, long bytes, double deviation)
      throws IOException {
    RandomBlocks blocks = new RandomBlocks(type, deviation, new RandomBits(options.seed, name));
    int chunk = CHUNK_BYTES / type.blockBytes() * type.blockBytes();
    byte[] buffer = new byte[(int) Math.min(bytes, chunk)];
    for (long left = bytes; left > 0; left -= buffer.length) {
      int length = (int) Math.min(left, buffer.length);
      blocks.fill(buffer, 0, length);
      out.write(ByteBuffer.wrap(buffer, 0, length));
    }
  }
}
