package dev.tandem.text;

import java.util.Arrays;

/**
 * The bytes of all tokens in one array, and the way back from bytes to a token: a hash table with
 * open addressing.
 *
 * <p>A place of the table holds a token and its key. The key of up to seven bytes is these bytes,
 * so that a look-up mostly touches nothing but the table; that of more bytes is a hash.
 */
final class PieceTable {
  private static final int EMPTY = -1;
  private static final int LONGEST_EXACT = 7;
  private static final long HASHED = 0xFFL << 56;

  private final byte[] bytes;
  private final int[] ends;
  private final long[] keys;
  private final int[] tokens;
  private final int shift;
  private boolean unique = true;

  /**
   * A table in which nothing is found yet.
   *
   * @param bytes the pieces one after the other
   * @param ends where each piece ends
   */
  PieceTable(byte[] bytes, int[] ends) {
    this.bytes = bytes;
    this.ends = ends;
    int bits = 64 - Long.numberOfLeadingZeros(2L * ends.length - 1);
    keys = new long[1 << bits];
    tokens = new int[1 << bits];
    shift = 64 - bits;
    Arrays.fill(tokens, EMPTY);
  }

  byte[] bytes() {
    return bytes;
  }

  int start(int id) {
    return id == 0 ? 0 : ends[id - 1];
  }

  int end(int id) {
    return ends[id];
  }

  int length(int id) {
    return end(id) - start(id);
  }

  /** Makes a token findable, unless one with the same bytes is, or there are no bytes. */
  void index(int id) {
    if (length(id) == 0) {
      return;
    }
    long key = key(bytes, start(id), end(id));
    int place = place(key, bytes, start(id), end(id));
    if (tokens[place] == EMPTY) {
      tokens[place] = id;
      keys[place] = key;
    } else {
      unique = false;
    }
  }

  /** Whether no two tokens with the same bytes were made findable. */
  boolean isUnique() {
    return unique;
  }

  /** The token with exactly these bytes, or -1. */
  int find(byte[] text, int from, int to) {
    return tokens[place(key(text, from, to), text, from, to)];
  }

  /** Whether this is a token, and has exactly these bytes. */
  boolean is(int id, byte[] text, int from, int to) {
    if (id < 0 || id >= ends.length || length(id) != to - from) {
      return false;
    }
    int start = start(id);
    for (int i = from; i < to; i++) {
      if (bytes[start + i - from] != text[i]) {
        return false;
      }
    }
    return true;
  }

  /** Where a token with these bytes is, or is to be put. */
  private int place(long key, byte[] text, int from, int to) {
    int place = (int) ((key ^ key >>> 32) * 0x9E3779B97F4A7C15L >>> shift);
    while (tokens[place] != EMPTY
        && !(keys[place] == key
            && (to - from <= LONGEST_EXACT || is(tokens[place], text, from, to)))) {
      place = place + 1 & keys.length - 1;
    }
    return place;
  }

  static long key(byte[] text, int from, int to) {
    if (to - from > LONGEST_EXACT) {
      long hash = to - from;
      for (int i = from; i < to; i++) {
        hash = (hash ^ text[i]) * 0x100000001B3L;
      }
      return hash ^ hash >>> 29 | HASHED;
    }
    long key = to - from;
    for (int i = from; i < to; i++) {
      key = key << 8 | text[i] & 0xFF;
    }
    return key;
  }
}
