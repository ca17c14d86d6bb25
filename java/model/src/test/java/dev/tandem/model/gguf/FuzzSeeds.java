package dev.tandem.model.gguf;

import dev.tandem.model.format.TensorType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The inputs from which {@link GgufFuzzTest} starts. They are committed where Jazzer looks for
 * them; {@code main} writes them again, and a test holds that they are these.
 */
final class FuzzSeeds {
  /** Where the seeds lie, from the module's folder. */
  static final Path FOLDER =
      Path.of("src/test/resources/dev/tandem/model/gguf/GgufFuzzTestInputs/opensOrRefuses");

  private FuzzSeeds() {}

  /** The seeds by file name. */
  static Map<String, byte[]> all() {
    Map<String, byte[]> seeds = new TreeMap<>();
    seeds.put("nothing.gguf", MemoryChannel.written(new GgufWriter()));
    seeds.put("values.gguf", MemoryChannel.written(values()));
    seeds.put("tensors.gguf", MemoryChannel.written(tensors()));
    seeds.put(
        "aligned.gguf",
        MemoryChannel.written(tensors().put("general.alignment", GgufValue.uint32(8))));
    byte[] second = MemoryChannel.written(tensors());
    second[4] = 2;
    seeds.put("version2.gguf", second);
    seeds.put("cut.gguf", Arrays.copyOf(second, second.length - 40));
    seeds.put(
        "overlap.gguf",
        RawGguf.of(2, 0)
            .tensor("a", TensorType.F32.id(), 0, 16)
            .tensor("b", TensorType.F32.id(), 32, 16)
            .data(32, 96)
            .bytes());
    seeds.put(
        "overflow.gguf",
        RawGguf.of(1, 0)
            .tensor("a", TensorType.F32.id(), 0, 1L << 32, 1L << 32, 2)
            .data(32, 32)
            .bytes());
    seeds.put(
        "nested.gguf",
        RawGguf.of(0, 1)
            .text("nested")
            .u32(GgufType.ARRAY.id())
            .u32(GgufType.ARRAY.id())
            .u64(1)
            .bytes());
    seeds.put("absurd.gguf", RawGguf.of(Long.MAX_VALUE, Long.MAX_VALUE).bytes());
    return seeds;
  }

  /** Writes the seeds; run in the module's folder. */
  public static void main(String[] args) throws IOException {
    Files.createDirectories(FOLDER);
    for (Map.Entry<String, byte[]> seed : all().entrySet()) {
      Files.write(FOLDER.resolve(seed.getKey()), seed.getValue());
    }
  }

  private static GgufWriter values() {
    GgufWriter writer = new GgufWriter();
    for (GgufType type : GgufType.values()) {
      if (type.isInteger()) {
        writer.put(type.toString(), new GgufValue.IntValue(type, 100));
        writer.put(type + "s", GgufValue.IntArray.of(type, 1, 2, 3));
      }
    }
    return writer
        .put("float32", GgufValue.float32(1.5f))
        .put("float64", new GgufValue.Float64Value(2.5))
        .put("bool", GgufValue.bool(true))
        .put("text", GgufValue.text("\u00fc\u4e00"))
        .put("float32s", GgufValue.float32s(1, 2))
        .put("float64s", new GgufValue.Float64Array(new double[] {1, 2}))
        .put("bools", new GgufValue.BoolArray(new boolean[] {true, false}))
        .put("texts", GgufValue.texts(List.of("", "a", "bc")));
  }

  private static GgufWriter tensors() {
    return new GgufWriter()
        .put("general.architecture", GgufValue.text("llama"))
        .tensor("f32", TensorType.F32, List.of(3L), new byte[12])
        .tensor("q4_0", TensorType.Q4_0, List.of(32L, 2L), new byte[36])
        .tensor("f16", TensorType.F16, List.of(2L, 2L, 2L, 2L), new byte[32]);
  }
}
