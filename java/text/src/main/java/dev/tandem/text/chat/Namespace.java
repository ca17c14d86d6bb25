package dev.tandem.text.chat;

import java.util.HashMap;
import java.util.Map;

/** An object of a template whose attributes can be set from inside a loop. */
final class Namespace {
  private final Map<String, Object> attributes = new HashMap<>();

  void put(String name, Object value) {
    attributes.put(name, value);
  }

  Object get(String name) {
    Object value = attributes.get(name);
    return value == null ? new Undefined(name) : value;
  }
}
