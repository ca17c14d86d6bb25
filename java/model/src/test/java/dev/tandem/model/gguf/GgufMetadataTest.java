package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.tandem.model.gguf.GgufValue.Float64Array;
import dev.tandem.model.gguf.GgufValue.Float64Value;
import dev.tandem.model.gguf.GgufValue.IntArray;
import dev.tandem.model.gguf.GgufValue.IntValue;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class GgufMetadataTest {
  private final GgufMetadata metadata = new GgufMetadata(Path.of("model.gguf"), values());

  private static Map<String, GgufValue> values() {
    Map<String, GgufValue> values = new LinkedHashMap<>();
    values.put("text", GgufValue.text("llama"));
    values.put("uint32", GgufValue.uint32(4_000_000_000L));
    values.put("int8", new IntValue(GgufType.INT8, -5));
    values.put("huge", new IntValue(GgufType.UINT64, -1));
    values.put("float32", GgufValue.float32(0.1f));
    values.put("float64", new Float64Value(0.1));
    values.put("bool", GgufValue.bool(true));
    values.put("texts", GgufValue.texts(List.of("a", "", "\u4e00")));
    values.put("ints", IntArray.of(GgufType.UINT8, 0, 200, 255));
    values.put("wide", IntArray.of(GgufType.UINT32, 1, 4_000_000_000L));
    values.put("float32s", GgufValue.float32s(1.5f, -2));
    values.put("float64s", new Float64Array(new double[] {0.1, 1e300}));
    return values;
  }

  @Test
  void getsWhatIsThere() {
    assertEquals("llama", metadata.string("text"));
    assertEquals(4_000_000_000L, metadata.integer("uint32"));
    assertEquals(-5, metadata.integer("int8"));
    assertEquals(0.1f, metadata.real("float32"));
    assertEquals(0.1, metadata.real("float64"));
    assertEquals(-5.0, metadata.real("int8"));
    assertTrue(metadata.bool("bool"));
    assertEquals(StringTable.of(List.of("a", "", "\u4e00")), metadata.strings("texts"));
    assertArrayEquals(new int[] {0, 200, 255}, metadata.integers("ints"));
    assertArrayEquals(new float[] {1.5f, -2}, metadata.reals("float32s"));
    assertArrayEquals(new float[] {0.1f, Float.POSITIVE_INFINITY}, metadata.reals("float64s"));
    assertArrayEquals(new float[] {0, 200, 255}, metadata.reals("ints"));
    assertEquals(List.copyOf(values().keySet()), List.copyOf(metadata.keys()));
    assertTrue(metadata.contains("text"));
  }

  @Test
  void findsWhatIsThereAndNothingElse() {
    assertEquals(Optional.of("llama"), metadata.findString("text"));
    assertEquals(OptionalLong.of(-5), metadata.findInteger("int8"));
    assertEquals(OptionalDouble.of(0.1), metadata.findReal("float64"));
    assertEquals(Optional.of(true), metadata.findBool("bool"));
    assertEquals(3, metadata.findStrings("texts").orElseThrow().size());
    assertEquals(3, metadata.findIntegers("ints").orElseThrow().length);
    assertEquals(2, metadata.findReals("float32s").orElseThrow().length);
    assertFalse(metadata.contains("absent"));
    assertEquals(Optional.empty(), metadata.get("absent"));
    assertEquals(Optional.empty(), metadata.findString("absent"));
    assertEquals(OptionalLong.empty(), metadata.findInteger("absent"));
    assertEquals(OptionalDouble.empty(), metadata.findReal("absent"));
    assertEquals(Optional.empty(), metadata.findBool("absent"));
    assertEquals(Optional.empty(), metadata.findStrings("absent"));
    assertEquals(Optional.empty(), metadata.findIntegers("absent"));
    assertEquals(Optional.empty(), metadata.findReals("absent"));
  }

  static Stream<Arguments> getters() {
    return Stream.of(
        arguments("string", getter(GgufMetadata::string), "bool", "a string"),
        arguments("integer", getter(GgufMetadata::integer), "float32", "an integer"),
        arguments("real", getter(GgufMetadata::real), "text", "a number"),
        arguments("bool", getter(GgufMetadata::bool), "int8", "a bool"),
        arguments("strings", getter(GgufMetadata::strings), "text", "an array of strings"),
        arguments("integers", getter(GgufMetadata::integers), "float32s", "an array of integers"),
        arguments("reals", getter(GgufMetadata::reals), "texts", "an array of numbers"));
  }

  private static BiFunction<GgufMetadata, String, Object> getter(
      BiFunction<GgufMetadata, String, Object> getter) {
    return getter;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("getters")
  void namesTheKeyThatIsMissingOrOfAnotherType(
      String name, BiFunction<GgufMetadata, String, Object> getter, String wrong, String wanted) {
    ModelFormatException missing =
        assertThrows(ModelFormatException.class, () -> getter.apply(metadata, "absent"));
    assertEquals("model.gguf: absent: the key is missing", missing.getMessage());
    assertEquals(ModelFormatException.NOWHERE, missing.offset());
    ModelFormatException other =
        assertThrows(ModelFormatException.class, () -> getter.apply(metadata, wrong));
    String kind = metadata.get(wrong).orElseThrow().kind();
    assertEquals(
        "model.gguf: " + wrong + ": is of the type " + kind + ", but must be " + wanted,
        other.getMessage());
  }

  @Test
  void refusesNumbersThatDoNotFit() {
    ModelFormatException huge =
        assertThrows(ModelFormatException.class, () -> metadata.integer("huge"));
    assertTrue(huge.getMessage().contains("18446744073709551615"), huge.getMessage());
    ModelFormatException wide =
        assertThrows(ModelFormatException.class, () -> metadata.integers("wide"));
    assertEquals("wide[1]", wide.field());
    assertThrows(IllegalArgumentException.class, () -> new IntValue(GgufType.INT8, 128));
    assertThrows(IllegalArgumentException.class, () -> new IntValue(GgufType.UINT32, -1));
    assertThrows(IllegalArgumentException.class, () -> new IntValue(GgufType.STRING, 1));
  }

  @Test
  void handsOutCopiesOfArrays() {
    metadata.reals("float32s")[0] = 7;
    assertEquals(1.5f, metadata.reals("float32s")[0]);
  }

  @Test
  void showsValues() {
    assertEquals("[0, 200, 255]", metadata.get("ints").orElseThrow().toString());
    assertEquals("18446744073709551615", metadata.get("huge").orElseThrow().toString());
    assertEquals("array of uint8", metadata.get("ints").orElseThrow().kind());
    assertEquals(
        "[0, 1, 2, 3, 4, 5, 6, 7, ...]", GgufValue.int32s(0, 1, 2, 3, 4, 5, 6, 7, 8).toString());
  }
}
