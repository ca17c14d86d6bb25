package dev.tandem.engine;

import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import dev.tandem.model.gguf.TensorInfo;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** A model as another one, with some things changed. */
final class ModelCopy {
  private record Content(TensorType type, byte[] bytes) {}

  private final GgufFile original;
  private final Map<String, GgufValue> metadata;
  private final Map<String, Content> changed = new LinkedHashMap<>();

  ModelCopy(Path file) {
    original = GgufFile.open(file);
    metadata = new LinkedHashMap<>(original.metadata().asMap());
  }

  /** With another value of a metadata key. */
  ModelCopy put(String key, GgufValue value) {
    metadata.put(key, value);
    return this;
  }

  /** With the values of a tensor replaced, in F32. */
  ModelCopy tensor(String name, float... values) {
    changed.put(name, new Content(TensorType.F32, BlockCodec.of(TensorType.F32).encode(values)));
    return this;
  }

  /** With all matrices in another format. */
  ModelCopy quantized(TensorType type) {
    for (TensorInfo tensor : original.tensors().values()) {
      if (tensor.rows() > 1) {
        float[] values = BlockCodec.of(tensor.type()).decode(original.read(tensor));
        changed.put(tensor.name(), new Content(type, BlockCodec.of(type).encode(values)));
      }
    }
    return this;
  }

  Path write(Path file) {
    GgufWriter writer = new GgufWriter().putAll(metadata);
    for (TensorInfo tensor : original.tensors().values()) {
      Content content =
          changed.getOrDefault(tensor.name(), new Content(tensor.type(), original.read(tensor)));
      writer.tensor(tensor.name(), content.type, tensor.shape(), content.bytes);
    }
    writer.write(file);
    return file;
  }
}
