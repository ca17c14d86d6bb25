package dev.tandem.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * Lets a text through until one of some strings occurs in it. What may be the beginning of one is
 * held back until that is known, so that no stop string is let out, not even in part. Of several,
 * the one that ends first counts, and of those that end together the longest. Not safe for several
 * threads.
 */
public final class StopStrings implements Utf8Stream.Sink {

  /** More of them are refused. */
  public static final int MOST = 64;

  private final List<String> names;
  private final byte[][] stops; // the longest first
  private final Utf8Stream.Sink sink;
  private byte[] held = new byte[64];
  private int length;
  private Optional<String> found = Optional.empty();

  /**
   * A filter before a sink.
   *
   * @param strings may be none; none of them empty
   */
  public StopStrings(List<String> strings, Utf8Stream.Sink sink) {
    this.sink = sink;
    names =
        strings.stream().sorted((a, b) -> Long.compare(Utf8.length(b), Utf8.length(a))).toList();
    stops =
        names.stream().map(name -> name.getBytes(StandardCharsets.UTF_8)).toArray(byte[][]::new);
  }

  /** The stop string that ended the text. */
  public Optional<String> found() {
    return found;
  }

  /** Takes more of the text; what comes after a stop string is dropped. */
  @Override
  public void accept(byte[] utf8, int offset, int count) {
    if (stops.length == 0) {
      sink.accept(utf8, offset, count);
      return;
    }
    if (length + count > held.length) {
      held = Arrays.copyOf(held, Math.max(length + count, 2 * held.length));
    }
    for (int i = offset; i < offset + count && found.isEmpty(); i++) {
      held[length++] = utf8[i];
      findAtEnd();
    }
    letOut(found.isPresent() ? length : length - beginningAtEnd());
  }

  /** Ends the text: what was held back is none of the strings. */
  public void finish() {
    letOut(length);
  }

  private void findAtEnd() {
    for (int s = 0; s < stops.length; s++) {
      int start = length - stops[s].length;
      if (start >= 0 && Arrays.equals(held, start, length, stops[s], 0, stops[s].length)) {
        found = Optional.of(names.get(s));
        length = start;
        return;
      }
    }
  }

  /** Length of the longest end of what is held that is the beginning of a stop string. */
  private int beginningAtEnd() {
    int longest = 0;
    for (byte[] stop : stops) {
      for (int n = Math.min(length, stop.length - 1); n > longest; n--) {
        if (Arrays.equals(held, length - n, length, stop, 0, n)) {
          longest = n;
        }
      }
    }
    return longest;
  }

  private void letOut(int count) {
    if (count > 0) {
      sink.accept(held, 0, count);
      System.arraycopy(held, count, held, 0, length - count);
      length -= count;
    }
  }
}
