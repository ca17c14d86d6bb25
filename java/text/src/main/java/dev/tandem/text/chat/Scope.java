package dev.tandem.text.chat;

import java.util.HashMap;
import java.util.Map;

/** The variables that a part of a template sees: its own, and those of what it lies in. */
final class Scope {
  private final Map<String, Object> own = new HashMap<>();
  private final Scope parent;

  private Scope(Scope parent) {
    this.parent = parent;
  }

  /** The variables of a template's outermost part. */
  static Scope root() {
    return new Scope(null);
  }

  /** A scope within this one. */
  Scope child() {
    return new Scope(this);
  }

  void put(String name, Object value) {
    own.put(name, value);
  }

  /** The value of a variable; {@link Undefined} if there is none. */
  Object get(String name) {
    for (Scope scope = this; scope != null; scope = scope.parent) {
      Object value = scope.own.get(name);
      if (value != null) {
        return value;
      }
    }
    return new Undefined(name);
  }
}
