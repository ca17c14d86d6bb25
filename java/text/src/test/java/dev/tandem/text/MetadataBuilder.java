package dev.tandem.text;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.GgufType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.StringTable;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Metadata made by hand; keys are without their {@code tokenizer.ggml.}. */
public final class MetadataBuilder {
  private final Map<String, GgufValue> values = new LinkedHashMap<>();

  public MetadataBuilder set(String key, String value) {
    return put(key, new GgufValue.TextValue(value));
  }

  public MetadataBuilder set(String key, boolean value) {
    return put(key, new GgufValue.BoolValue(value));
  }

  public MetadataBuilder set(String key, long value) {
    return put(key, new GgufValue.IntValue(GgufType.INT64, value));
  }

  public MetadataBuilder set(String key, List<String> values) {
    return put(key, new GgufValue.TextArray(StringTable.of(values)));
  }

  public MetadataBuilder set(String key, int... values) {
    long[] wide = new long[values.length];
    for (int i = 0; i < wide.length; i++) {
      wide[i] = values[i];
    }
    return put(key, GgufValue.IntArray.of(GgufType.INT32, wide));
  }

  public MetadataBuilder set(String key, float... values) {
    return put(key, new GgufValue.Float32Array(values));
  }

  public MetadataBuilder remove(String key) {
    values.remove("tokenizer.ggml." + key);
    return this;
  }

  /** {@code general.name}, which some rules go by. */
  public MetadataBuilder name(String name) {
    values.put("general.name", new GgufValue.TextValue(name));
    return this;
  }

  public GgufMetadata build() {
    return new GgufMetadata(Path.of("hand-made.gguf"), values);
  }

  public Tokenizer tokenizer() {
    return Tokenizer.of(build());
  }

  private MetadataBuilder put(String key, GgufValue value) {
    values.put("tokenizer.ggml." + key, value);
    return this;
  }
}
