package dev.tandem.model.gguf;

import dev.tandem.model.gguf.GgufValue.BoolValue;
import dev.tandem.model.gguf.GgufValue.Float32Array;
import dev.tandem.model.gguf.GgufValue.Float32Value;
import dev.tandem.model.gguf.GgufValue.Float64Array;
import dev.tandem.model.gguf.GgufValue.Float64Value;
import dev.tandem.model.gguf.GgufValue.IntArray;
import dev.tandem.model.gguf.GgufValue.IntValue;
import dev.tandem.model.gguf.GgufValue.TextArray;
import dev.tandem.model.gguf.GgufValue.TextValue;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The metadata of a model, in the file's order.
 *
 * <p>A getter of a required key throws {@link ModelFormatException} if the key is missing; its twin
 * {@code find...} returns empty. Both throw if the value is of another type.
 */
public final class GgufMetadata {
  private final Path file;
  private final Map<String, GgufValue> values;

  /** The metadata that this file has, or, for a new file, is to have. */
  public GgufMetadata(Path file, Map<String, GgufValue> values) {
    this.file = file;
    this.values = Collections.unmodifiableMap(new LinkedHashMap<>(values));
  }

  /** The file, for messages. */
  public Path file() {
    return file;
  }

  /** All keys in the file's order. */
  public Set<String> keys() {
    return values.keySet();
  }

  /** Whether there is such a key. */
  public boolean contains(String key) {
    return values.containsKey(key);
  }

  /** The value with its type. */
  public Optional<GgufValue> get(String key) {
    return Optional.ofNullable(values.get(key));
  }

  /** All pairs in the file's order. */
  public Map<String, GgufValue> asMap() {
    return values;
  }

  /** A text. */
  public String string(String key) {
    return findString(key).orElseThrow(() -> missing(key));
  }

  /** A text. */
  public Optional<String> findString(String key) {
    return get(key)
        .map(value -> value instanceof TextValue text ? text.value() : wrong(key, "a string"));
  }

  /** A whole number. */
  public long integer(String key) {
    return findInteger(key).orElseThrow(() -> missing(key));
  }

  /** A whole number. */
  public OptionalLong findInteger(String key) {
    if (!(values.get(key) instanceof IntValue number)) {
      return contains(key) ? wrong(key, "an integer") : OptionalLong.empty();
    }
    return OptionalLong.of(signed(key, number));
  }

  /** A number, whole or not. */
  public double real(String key) {
    return findReal(key).orElseThrow(() -> missing(key));
  }

  /** A number, whole or not. */
  public OptionalDouble findReal(String key) {
    if (!contains(key)) {
      return OptionalDouble.empty();
    }
    return switch (values.get(key)) {
      case Float32Value number -> OptionalDouble.of(number.value());
      case Float64Value number -> OptionalDouble.of(number.value());
      case IntValue number -> OptionalDouble.of(signed(key, number));
      default -> wrong(key, "a number");
    };
  }

  /** Yes or no. */
  public boolean bool(String key) {
    return findBool(key).orElseThrow(() -> missing(key));
  }

  /** Yes or no. */
  public Optional<Boolean> findBool(String key) {
    return get(key)
        .map(value ->
            value instanceof BoolValue bool ? (Boolean) bool.value() : wrong(key, "a bool"));
  }

  /** A list of texts. */
  public StringTable strings(String key) {
    return findStrings(key).orElseThrow(() -> missing(key));
  }

  /** A list of texts. */
  public Optional<StringTable> findStrings(String key) {
    return get(key)
        .map(value ->
            value instanceof TextArray texts ? texts.values() : wrong(key, "an array of strings"));
  }

  /** A list of whole numbers, each of which must fit 32 bits; the caller's own copy. */
  public int[] integers(String key) {
    return findIntegers(key).orElseThrow(() -> missing(key));
  }

  /** A list of whole numbers, each of which must fit 32 bits; the caller's own copy. */
  public Optional<int[]> findIntegers(String key) {
    return get(key)
        .map(value ->
            value instanceof IntArray numbers
                ? narrowed(key, numbers)
                : wrong(key, "an array of integers"));
  }

  /** A list of numbers, rounded to single precision; the caller's own copy. */
  public float[] reals(String key) {
    return findReals(key).orElseThrow(() -> missing(key));
  }

  /** A list of numbers, rounded to single precision; the caller's own copy. */
  public Optional<float[]> findReals(String key) {
    return get(key)
        .map(value ->
            switch (value) {
              case Float32Array numbers -> numbers.values().clone();
              case Float64Array numbers -> {
                float[] rounded = new float[numbers.size()];
                for (int i = 0; i < rounded.length; i++) {
                  rounded[i] = (float) numbers.values()[i];
                }
                yield rounded;
              }
              case IntArray numbers -> {
                float[] rounded = new float[numbers.size()];
                for (int i = 0; i < rounded.length; i++) {
                  rounded[i] = signed(key, new IntValue(numbers.elementType(), numbers.get(i)));
                }
                yield rounded;
              }
              default -> wrong(key, "an array of numbers");
            });
  }

  /** The problem of a key, for those who find its value unsuitable. */
  public ModelFormatException problem(String key, String problem) {
    return new ModelFormatException(file, ModelFormatException.NOWHERE, key, problem);
  }

  @Override
  public String toString() {
    return values.size() + " metadata pairs of " + file;
  }

  private int[] narrowed(String key, IntArray numbers) {
    int[] narrowed = new int[numbers.size()];
    for (int i = 0; i < narrowed.length; i++) {
      long number = numbers.get(i);
      if (number != (int) number) {
        throw problem(
            key + "[" + i + "]", numbers.elementType() + " " + number + " does not fit 32 bits");
      }
      narrowed[i] = (int) number;
    }
    return narrowed;
  }

  private long signed(String key, IntValue number) {
    if (number.type() == GgufType.UINT64 && number.value() < 0) {
      throw problem(key, number + " does not fit a signed 64-bit number");
    }
    return number.value();
  }

  private ModelFormatException missing(String key) {
    return problem(key, "the key is missing");
  }

  private <T> T wrong(String key, String wanted) {
    throw problem(key, "is of the type " + values.get(key).kind() + ", but must be " + wanted);
  }
}
