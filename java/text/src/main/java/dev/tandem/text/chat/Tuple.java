package dev.tandem.text.chat;

import java.util.AbstractList;
import java.util.List;

/** A list that does not change, printed in parentheses. */
final class Tuple extends AbstractList<Object> {
  private final List<Object> elements;

  Tuple(List<?> elements) {
    this.elements = List.copyOf(elements);
  }

  @Override
  public Object get(int index) {
    return elements.get(index);
  }

  @Override
  public int size() {
    return elements.size();
  }
}
