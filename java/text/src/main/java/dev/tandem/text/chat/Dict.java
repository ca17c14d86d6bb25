package dev.tandem.text.chat;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A map of a template. Entries are found by their keys' plain values, whoever wrote them, but each
 * keeps the key it was made with: content that is a key stays content.
 */
final class Dict {
  /** A key as it was written, and what is there. */
  record Entry(Object key, Object value) {}

  private final Map<Object, Entry> entries = new LinkedHashMap<>();

  /**
   * Sets a value.
   *
   * @param plain the key's plain value, from {@link Operators#key}
   * @param key the key as it was written; an entry that is there keeps its own
   */
  void put(Object plain, Object key, Object value) {
    Entry old = entries.get(plain);
    entries.put(plain, new Entry(old == null ? key : old.key(), value));
  }

  /** Sets the value of a key that is part of a program or a template. */
  void put(String key, Object value) {
    put(key, key, value);
  }

  void putAll(Dict other) {
    other.entries.forEach((plain, entry) -> put(plain, entry.key(), entry.value()));
  }

  Optional<Object> get(Object plain) {
    return Optional.ofNullable(entries.get(plain)).map(Entry::value);
  }

  Optional<Object> remove(Object plain) {
    return Optional.ofNullable(entries.remove(plain)).map(Entry::value);
  }

  boolean contains(Object plain) {
    return entries.containsKey(plain);
  }

  void clear() {
    entries.clear();
  }

  int size() {
    return entries.size();
  }

  /** The plain keys, in order. */
  Collection<Object> plainKeys() {
    return entries.keySet();
  }

  Collection<Entry> entries() {
    return entries.values();
  }

  List<Object> keys() {
    List<Object> keys = new ArrayList<>(entries.size());
    entries.values().forEach(entry -> keys.add(entry.key()));
    return keys;
  }

  List<Object> values() {
    List<Object> values = new ArrayList<>(entries.size());
    entries.values().forEach(entry -> values.add(entry.value()));
    return values;
  }

  /** The entries as pairs. */
  List<Object> items() {
    List<Object> items = new ArrayList<>(entries.size());
    entries.values().forEach(entry -> items.add(new Tuple(List.of(entry.key(), entry.value()))));
    return items;
  }
}
