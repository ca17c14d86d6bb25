package dev.tandem.model.gguf;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.NoSuchElementException;

/**
 * An immutable table of byte strings, meant to be UTF-8, that share one array: a vocabulary of 128k
 * tokens with its 280k merges is two arrays, and becomes {@link String}s only where somebody asks.
 *
 * <p>String {@code i} is {@code bytes()[start(i) .. end(i)]}. The bytes are as the file has them; a
 * piece of a vocabulary may be half a character.
 */
public final class StringTable implements Iterable<String> {
  private final byte[] bytes;
  private final int[] offsets;

  private StringTable(byte[] bytes, int[] offsets) {
    this.bytes = bytes;
    this.offsets = offsets;
  }

  /** The table of these strings, in the collection's order. */
  public static StringTable of(Collection<String> strings) {
    Builder builder = new Builder(strings.size(), 16 * strings.size());
    for (String string : strings) {
      byte[] encoded = string.getBytes(StandardCharsets.UTF_8);
      System.arraycopy(encoded, 0, builder.room(encoded.length), builder.end(), encoded.length);
      builder.add(encoded.length);
    }
    return builder.build();
  }

  /** The number of strings. */
  public int size() {
    return offsets.length - 1;
  }

  /** Where string {@code index} begins in {@link #bytes()}. */
  public int start(int index) {
    return offsets[index];
  }

  /** Where string {@code index} ends in {@link #bytes()}, exclusive. */
  public int end(int index) {
    return offsets[index + 1];
  }

  /** The bytes of all strings. This is the table's own array: for reading only. */
  public byte[] bytes() {
    return bytes;
  }

  /** String {@code index}; a byte that is not UTF-8 becomes U+FFFD. */
  public String string(int index) {
    return new String(
        bytes, offsets[index], offsets[index + 1] - offsets[index], StandardCharsets.UTF_8);
  }

  @Override
  public Iterator<String> iterator() {
    return new Iterator<>() {
      private int next;

      @Override
      public boolean hasNext() {
        return next < size();
      }

      @Override
      public String next() {
        if (!hasNext()) {
          throw new NoSuchElementException("the table has " + size() + " strings");
        }
        return string(next++);
      }
    };
  }

  /** Whether the other table has the same strings, byte by byte. */
  @Override
  public boolean equals(Object other) {
    return other instanceof StringTable table
        && Arrays.equals(offsets, table.offsets)
        && Arrays.equals(bytes, table.bytes);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(bytes) + Arrays.hashCode(offsets);
  }

  @Override
  public String toString() {
    return size() + " strings in " + bytes.length + " bytes";
  }

  /** Fills a table string by string; the caller copies each one straight to its place. */
  static final class Builder {
    private final int[] offsets;
    private byte[] bytes;
    private int count;

    Builder(int strings, int expectedBytes) {
      offsets = new int[strings + 1];
      bytes = new byte[expectedBytes];
    }

    /** The array with room for the next string, which the caller puts at {@link #end()}. */
    byte[] room(int length) {
      int needed = Math.addExact(end(), length);
      if (needed > bytes.length) {
        int grown = (int) Math.min(Integer.MAX_VALUE - 8L, 2L * needed);
        bytes = Arrays.copyOf(bytes, Math.max(needed, grown));
      }
      return bytes;
    }

    int end() {
      return offsets[count];
    }

    void add(int length) {
      offsets[count + 1] = offsets[count] + length;
      count++;
    }

    StringTable build() {
      return new StringTable(bytes.length == end() ? bytes : Arrays.copyOf(bytes, end()), offsets);
    }
  }
}
