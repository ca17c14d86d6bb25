package dev.tandem.text;

import java.util.Arrays;

/** A growing list of token ids, without boxing; it is reused by clearing it. */
public final class TokenBuffer {
  private int[] ids;
  private int size;

  /** An empty list. */
  public TokenBuffer() {
    this(64);
  }

  /** An empty list with room for so many ids. */
  public TokenBuffer(int capacity) {
    ids = new int[Math.max(1, capacity)];
  }

  /** Appends a token. */
  public void add(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, Math.addExact(size, (size >> 1) + 1));
    }
    ids[size++] = id;
  }

  /** Appends tokens. */
  public void addAll(int... more) {
    for (int id : more) {
      add(id);
    }
  }

  /** The number of tokens. */
  public int size() {
    return size;
  }

  /** The token at this place. */
  public int get(int index) {
    if (index >= size) {
      throw new IndexOutOfBoundsException("token " + index + " of " + size);
    }
    return ids[index];
  }

  /** Forgets all tokens from this place on. */
  public void truncate(int size) {
    if (size < 0 || size > this.size) {
      throw new IndexOutOfBoundsException("truncate to " + size + " of " + this.size + " tokens");
    }
    this.size = size;
  }

  /** Forgets all tokens, keeps the room. */
  public void clear() {
    size = 0;
  }

  /** A copy of the tokens. */
  public int[] toArray() {
    return Arrays.copyOf(ids, size);
  }

  @Override
  public String toString() {
    return Arrays.toString(toArray());
  }
}
