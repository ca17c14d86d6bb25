package dev.tandem.text;

import java.util.Arrays;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * A set of characters as a pattern describes one: categories, ranges, and whether it is inverted.
 */
final class CodePointSet {
  private final long low;
  private final long high;
  private final int categories;

  /** Where membership changes, ascending: in from the first, out from the second, and so on. */
  private final int[] borders;

  private final boolean inverted;

  private CodePointSet(int categories, int[] borders, boolean inverted) {
    this.categories = categories;
    this.borders = borders;
    this.inverted = inverted;
    // ASCII is most of what comes: one bit each.
    long[] ascii = new long[2];
    for (int c = 0; c < 0x80; c++) {
      if (searched(c)) {
        ascii[c >> 6] |= 1L << c;
      }
    }
    low = ascii[0];
    high = ascii[1];
  }

  boolean containsAscii(int c) {
    return ((c < 64 ? low : high) >>> c & 1) != 0;
  }

  boolean contains(int codePoint) {
    return codePoint < 0x80 ? containsAscii(codePoint) : searched(codePoint);
  }

  private boolean searched(int codePoint) {
    return ((categories & UnicodeCategories.of(codePoint)) != 0 || inRanges(codePoint)) != inverted;
  }

  private boolean inRanges(int codePoint) {
    if (borders.length == 0) {
      return false;
    }
    int found = Arrays.binarySearch(borders, codePoint);
    int passed = found >= 0 ? found + 1 : -found - 1;
    return passed % 2 == 1;
  }

  /** Collects what a pattern names. */
  static final class Builder {
    private int categories;
    private final NavigableMap<Integer, Integer> lastByFirst = new TreeMap<>();

    Builder addCategories(int mask) {
      categories |= mask;
      return this;
    }

    Builder add(int codePoint) {
      return addRange(codePoint, codePoint);
    }

    Builder addRange(int first, int last) {
      lastByFirst.merge(first, last, Math::max);
      return this;
    }

    CodePointSet build(boolean inverted) {
      int[] borders = new int[2 * lastByFirst.size()];
      int n = 0;
      for (Map.Entry<Integer, Integer> range : lastByFirst.entrySet()) {
        int end = range.getValue() + 1;
        if (n > 0 && range.getKey() <= borders[n - 1]) {
          borders[n - 1] = Math.max(borders[n - 1], end); // touches the range before
        } else {
          borders[n++] = range.getKey();
          borders[n++] = end;
        }
      }
      return new CodePointSet(categories, Arrays.copyOf(borders, n), inverted);
    }
  }
}
