package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * The fields of a JSON object that a client sent. A field that is null counts as absent; one of a
 * wrong type is refused by its name, without its value if that could be a text.
 *
 * @param path where the object is: "" or "messages[0]."
 */
record Fields(ObjectNode node, String path) {

  /** The full name of a field, for errors. */
  String name(String field) {
    return path + field;
  }

  /** What a field has, if that is anything. */
  Optional<JsonNode> find(String field) {
    return Optional.ofNullable(node.get(field)).filter(value -> !value.isNull());
  }

  Optional<String> string(String field) {
    return find(field)
        .map(value -> {
          requireType(value.isTextual(), field, "a string", value);
          return value.textValue();
        });
  }

  Optional<Boolean> flag(String field) {
    return find(field)
        .map(value -> {
          requireType(value.isBoolean(), field, "true or false", value);
          return value.booleanValue();
        });
  }

  boolean isOn(String field) {
    return flag(field).orElse(false);
  }

  /** A finite number. */
  OptionalDouble number(String field) {
    Optional<JsonNode> value = find(field);
    if (value.isEmpty()) {
      return OptionalDouble.empty();
    }
    requireType(value.get().isNumber(), field, "a number", value.get());
    double number = value.get().doubleValue();
    if (!Double.isFinite(number)) {
      throw HttpFailure.invalid(name(field), name(field) + " is too large for a number");
    }
    return OptionalDouble.of(number);
  }

  /** A whole number of 64 bits. */
  OptionalLong wide(String field) {
    Optional<JsonNode> value = find(field);
    if (value.isEmpty()) {
      return OptionalLong.empty();
    }
    JsonNode number = value.get();
    requireType(number.isNumber(), field, "a whole number", number);
    boolean isWhole = number.isIntegralNumber() || number.doubleValue() % 1 == 0;
    if (!isWhole || !number.canConvertToLong()) {
      throw HttpFailure.invalid(
          name(field), "%s: %s is not a whole number of 64 bits".formatted(name(field), number));
    }
    return OptionalLong.of(number.longValue());
  }

  /** A whole number from {@code least} to {@code most}. */
  OptionalInt integer(String field, int least, int most) {
    OptionalLong value = wide(field);
    if (value.isEmpty()) {
      return OptionalInt.empty();
    }
    long number = value.getAsLong();
    if (number < least || number > most) {
      throw HttpFailure.invalid(
          name(field), "%s: %d is not from %d to %d".formatted(name(field), number, least, most));
    }
    return OptionalInt.of((int) number);
  }

  Optional<Fields> object(String field) {
    return find(field)
        .map(value -> {
          requireType(value.isObject(), field, "an object", value);
          return new Fields((ObjectNode) value, name(field) + ".");
        });
  }

  /** The elements of an array; none if there is no array. */
  List<JsonNode> array(String field) {
    List<JsonNode> elements = new ArrayList<>();
    find(field)
        .ifPresent(value -> {
          requireType(value.isArray(), field, "an array", value);
          value.forEach(elements::add);
        });
    return elements;
  }

  /** The objects of an array. */
  List<Fields> objects(String field) {
    List<Fields> objects = new ArrayList<>();
    for (JsonNode element : array(field)) {
      String place = "%s[%d]".formatted(field, objects.size());
      requireType(element.isObject(), place, "an object", element);
      objects.add(new Fields((ObjectNode) element, name(place) + "."));
    }
    return objects;
  }

  /** Token ids: an array of whole numbers from 0 on. */
  int[] tokens(String field) {
    return find(field).map(value -> tokens(field, value)).orElseGet(() -> new int[0]);
  }

  /** Token ids that are this value. */
  int[] tokens(String field, JsonNode value) {
    requireType(value.isArray(), field, "an array of token ids", value);
    int[] ids = new int[value.size()];
    for (int i = 0; i < ids.length; i++) {
      JsonNode id = value.get(i);
      if (!id.isInt() || id.intValue() < 0) {
        throw HttpFailure.invalid(
            name(field),
            "%s[%d] is no token id: a whole number from 0 on".formatted(name(field), i));
      }
      ids[i] = id.intValue();
    }
    return ids;
  }

  /** All fields with their names. */
  Iterable<Map.Entry<String, JsonNode>> entries() {
    return node.properties();
  }

  /** Refuses a field that has anything but nothing: what cannot be served must not be ignored. */
  void refuse(String field, String why) {
    Optional<JsonNode> value = find(field).filter(given -> !isNothing(given));
    if (value.isPresent()) {
      throw HttpFailure.unsupported(name(field), name(field) + " is not supported: " + why);
    }
  }

  private static boolean isNothing(JsonNode value) {
    return value.isBoolean() && !value.booleanValue()
        || value.isContainerNode() && value.isEmpty()
        || value.isTextual() && value.textValue().isEmpty();
  }

  private void requireType(boolean holds, String field, String wanted, JsonNode value) {
    if (!holds) {
      throw HttpFailure.invalid(
          name(field), "%s must be %s, not %s".formatted(name(field), wanted, type(value)));
    }
  }

  /** What a value is, in words. */
  static String type(JsonNode value) {
    return switch (value.getNodeType()) {
      case ARRAY -> "an array";
      case BOOLEAN -> "true or false";
      case NUMBER -> "a number";
      case OBJECT -> "an object";
      case STRING -> "a string";
      case BINARY, MISSING, NULL, POJO -> "null";
    };
  }
}
