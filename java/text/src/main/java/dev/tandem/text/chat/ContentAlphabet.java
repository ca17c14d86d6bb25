package dev.tandem.text.chat;

import java.util.BitSet;

/**
 * The characters that stand for those of contents while a template runs.
 *
 * <p>Each character of a content is replaced by a private one of Unicode (the same by the same)
 * that the template does not use. So whatever a template does with a content, cutting, repeating,
 * putting together, each character that comes out still says whose it is, and operations that look
 * at characters look at what they stand for. This is taint tracking, with the mark in the character
 * itself: an operation that knows nothing of it can print gibberish, but cannot lose a mark.
 *
 * <p>Of one rendering; not safe for several threads.
 */
final class ContentAlphabet {
  private static final int[] FIRST = {0xE000, 0xF0000, 0x100000};
  private static final int[] LAST = {0xF8FF, 0xFFFFD, 0x10FFFD};

  private final BitSet taken;
  private final PointMap sealed = new PointMap();
  private final PointMap opened = new PointMap();
  private int range;
  private int next = FIRST[0];

  /**
   * An alphabet without characters.
   *
   * @param taken the private characters that the template itself uses
   */
  ContentAlphabet(BitSet taken) {
    this.taken = taken;
  }

  /** Adds the characters of a text that an alphabet might be made of. */
  static void addPrivate(String text, BitSet points) {
    text.codePoints()
        .filter(point -> Character.getType(point) == Character.PRIVATE_USE)
        .forEach(points::set);
  }

  /** A text of characters that say they are content's. */
  String seal(String content) {
    StringBuilder out = new StringBuilder(content.length());
    content.codePoints().forEach(point -> out.appendCodePoint(seal(point)));
    return out.toString();
  }

  /** The character that stands for a plain one of a content. */
  int seal(int plain) {
    int found = sealed.get(plain);
    if (found >= 0) {
      return found;
    }
    int point = unused();
    sealed.put(plain, point);
    opened.put(point, plain);
    return point;
  }

  /** A character of the same owner as another. */
  int sealLike(int owner, int plain) {
    return isSealed(owner) ? seal(plain) : plain;
  }

  /** Whether this character is a content's. */
  boolean isSealed(int point) {
    return opened.get(point) >= 0;
  }

  /** What a character stands for. */
  int open(int point) {
    int plain = opened.get(point);
    return plain >= 0 ? plain : point;
  }

  /** What a text says. */
  String open(String text) {
    StringBuilder out = new StringBuilder(text.length());
    text.codePoints().forEach(point -> out.appendCodePoint(open(point)));
    return out.toString();
  }

  private int unused() {
    while (true) {
      if (next > LAST[range]) {
        if (++range == FIRST.length) {
          throw new TemplateFault(
              "the messages have more different characters than can be kept apart (137,000)");
        }
        next = FIRST[range];
      }
      int point = next++;
      if (!taken.get(point)) {
        return point;
      }
    }
  }

  /** A map from code points to code points. */
  private static final class PointMap {
    private static final int PAGE_BITS = 8;
    private final int[][] pages = new int[(Character.MAX_CODE_POINT + 1) >>> PAGE_BITS][];

    /** What is there, or -1. */
    int get(int point) {
      int[] page = pages[point >>> PAGE_BITS];
      return page == null ? -1 : page[point & (1 << PAGE_BITS) - 1] - 1;
    }

    void put(int point, int value) {
      int page = point >>> PAGE_BITS;
      if (pages[page] == null) {
        pages[page] = new int[1 << PAGE_BITS];
      }
      pages[page][point & (1 << PAGE_BITS) - 1] = value + 1;
    }
  }
}
