package dev.tandem.model.family;

import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import dev.tandem.model.gguf.SparseFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A Llama model whose weights are all zero, to be changed before it is written: what a family says
 * of a file depends on metadata and shapes alone.
 */
public final class LlamaFile {
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(1 << 20).asReadOnlyBuffer();

  private record Tensor(TensorType type, List<Long> shape) {}

  private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();

  public LlamaFile(ModelShape shape, TensorType type) {
    put("general.architecture", GgufValue.text("llama"));
    put("llama.context_length", GgufValue.uint32(shape.context()));
    put("llama.embedding_length", GgufValue.uint32(shape.width()));
    put("llama.block_count", GgufValue.uint32(shape.layers()));
    put("llama.feed_forward_length", GgufValue.uint32(shape.feedForward()));
    put("llama.attention.head_count", GgufValue.uint32(shape.heads()));
    put("llama.attention.head_count_kv", GgufValue.uint32(shape.kvHeads()));
    put("llama.attention.key_length", GgufValue.uint32(shape.headSize()));
    put("llama.attention.value_length", GgufValue.uint32(shape.headSize()));
    put("llama.attention.layer_norm_rms_epsilon", GgufValue.float32(shape.normEpsilon()));
    put("llama.rope.freq_base", GgufValue.float32(shape.ropeBase()));
    put("llama.rope.dimension_count", GgufValue.uint32(shape.headSize()));
    tensor("token_embd.weight", type, shape.width(), shape.vocabulary());
    for (int layer = 0; layer < shape.layers(); layer++) {
      String block = "blk." + layer + ".";
      tensor(block + "attn_norm.weight", TensorType.F32, shape.width());
      tensor(block + "attn_q.weight", type, shape.width(), shape.queryWidth());
      tensor(block + "attn_k.weight", type, shape.width(), shape.kvWidth());
      tensor(block + "attn_v.weight", type, shape.width(), shape.kvWidth());
      tensor(block + "attn_output.weight", type, shape.queryWidth(), shape.width());
      tensor(block + "ffn_norm.weight", TensorType.F32, shape.width());
      tensor(block + "ffn_gate.weight", type, shape.width(), shape.feedForward());
      tensor(block + "ffn_up.weight", type, shape.width(), shape.feedForward());
      tensor(block + "ffn_down.weight", type, shape.feedForward(), shape.width());
    }
    tensor("output_norm.weight", TensorType.F32, shape.width());
    if (!shape.tiedEmbeddings()) {
      tensor("output.weight", type, shape.width(), shape.vocabulary());
    }
  }

  /** Adds or replaces a metadata pair. */
  public LlamaFile put(String key, GgufValue value) {
    metadata.put(key, value);
    return this;
  }

  /** Adds or replaces a tensor; the fastest varying size first. */
  public LlamaFile tensor(String name, TensorType type, long... shape) {
    tensors.put(name, new Tensor(type, Arrays.stream(shape).boxed().toList()));
    return this;
  }

  /** Without a metadata key or a tensor. */
  public LlamaFile without(String name) {
    if (metadata.remove(name) == null && tensors.remove(name) == null) {
      throw new IllegalArgumentException("nothing is called " + name);
    }
    return this;
  }

  /** Writes it, replacing an older one, and opens it. */
  public Model open(Path file) {
    GgufWriter writer = new GgufWriter();
    metadata.forEach(writer::put);
    tensors.forEach((name, tensor) -> {
      long rows = tensor.shape.stream().skip(1).reduce(1L, (a, b) -> a * b);
      long bytes = tensor.type.rowBytes(tensor.shape.getFirst()) * rows;
      writer.tensor(name, tensor.type, tensor.shape, out -> zeros(out, bytes));
    });
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    SparseFile.write(writer, file);
    return Model.open(file);
  }

  private static void zeros(WritableByteChannel out, long bytes) throws IOException {
    for (long left = bytes; left > 0; left -= Math.min(left, ZEROS.capacity())) {
      out.write(ZEROS.duplicate().limit((int) Math.min(left, ZEROS.capacity())));
    }
  }
}
