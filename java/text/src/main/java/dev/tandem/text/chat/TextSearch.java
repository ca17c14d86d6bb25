package dev.tandem.text.chat;

/**
 * Looks for a text in others, in time that grows with their lengths and no faster, whatever they
 * say (Knuth, Morris and Pratt's algorithm).
 */
final class TextSearch {
  private final int[] part;

  /** How long an end of the first so many characters is a beginning of the text, too. */
  private final int[] overlap;

  TextSearch(int[] part) {
    this.part = part;
    overlap = new int[part.length + 1];
    int matched = 0;
    for (int i = 1; i < part.length; i++) {
      matched = longer(matched, part[i]);
      overlap[i + 1] = matched;
    }
  }

  private int longer(int matched, int point) {
    int length = matched;
    while (length > 0 && (length == part.length || part[length] != point)) {
      length = overlap[length];
    }
    return length < part.length && part[length] == point ? length + 1 : length;
  }

  /** The number of characters that are looked for. */
  int length() {
    return part.length;
  }

  /** Where the text stands, at or behind a place; -1 if it does not. */
  int next(int[] text, int from) {
    if (part.length == 0) {
      return from <= text.length ? from : -1;
    }
    int matched = 0;
    for (int i = from; i < text.length; i++) {
      matched = longer(matched, text[i]);
      if (matched == part.length) {
        return i + 1 - matched;
      }
    }
    return -1;
  }

  /** Where the last occurrence begins; -1 if there is none. */
  static int last(int[] text, int[] part) {
    int behind = new TextSearch(reversed(part)).next(reversed(text), 0);
    return behind < 0 ? -1 : text.length - behind - part.length;
  }

  static int[] reversed(int[] points) {
    int[] reversed = new int[points.length];
    for (int i = 0; i < points.length; i++) {
      reversed[points.length - 1 - i] = points[i];
    }
    return reversed;
  }
}
