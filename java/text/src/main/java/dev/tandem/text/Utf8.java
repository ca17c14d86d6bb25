package dev.tandem.text;

/** UTF-8 as the tokenizers need it. */
final class Utf8 {
  /** U+FFFD, which stands for what is not a character. */
  static final int REPLACEMENT = 0xFFFD;

  private Utf8() {}

  /** How many bytes this text takes; a lone surrogate counts as U+FFFD. */
  static long length(String text) {
    long bytes = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        bytes += 1;
      } else if (c < 0x800) {
        bytes += 2;
      } else if (isPair(text, i)) {
        bytes += 4;
        i++;
      } else {
        bytes += 3;
      }
    }
    return bytes;
  }

  /** Writes the text, a lone surrogate as U+FFFD, and returns where it ends. */
  static int put(String text, byte[] target, int at) {
    int p = at;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c < 0x80) {
        target[p++] = (byte) c;
      } else if (isPair(text, i)) {
        p = put(Character.toCodePoint(c, text.charAt(++i)), target, p);
      } else {
        p = put(Character.isSurrogate(c) ? REPLACEMENT : c, target, p);
      }
    }
    return p;
  }

  /** Writes one character and returns where it ends. */
  static int put(int codePoint, byte[] target, int at) {
    int p = at;
    if (codePoint < 0x80) {
      target[p++] = (byte) codePoint;
    } else if (codePoint < 0x800) {
      target[p++] = (byte) (0xC0 | codePoint >> 6);
      target[p++] = (byte) (0x80 | codePoint & 0x3F);
    } else if (codePoint < 0x10000) {
      target[p++] = (byte) (0xE0 | codePoint >> 12);
      target[p++] = (byte) (0x80 | codePoint >> 6 & 0x3F);
      target[p++] = (byte) (0x80 | codePoint & 0x3F);
    } else {
      target[p++] = (byte) (0xF0 | codePoint >> 18);
      target[p++] = (byte) (0x80 | codePoint >> 12 & 0x3F);
      target[p++] = (byte) (0x80 | codePoint >> 6 & 0x3F);
      target[p++] = (byte) (0x80 | codePoint & 0x3F);
    }
    return p;
  }

  /** The length of the character that begins with this byte of well-formed UTF-8. */
  static int length(byte first) {
    return first >= 0 ? 1 : first < (byte) 0xE0 ? 2 : first < (byte) 0xF0 ? 3 : 4;
  }

  /** The character that begins here, of well-formed UTF-8. */
  static int codePoint(byte[] bytes, int at) {
    int first = bytes[at];
    if (first >= 0) {
      return first;
    }
    int second = bytes[at + 1] & 0x3F;
    if (first < (byte) 0xE0) {
      return (first & 0x1F) << 6 | second;
    }
    int third = bytes[at + 2] & 0x3F;
    if (first < (byte) 0xF0) {
      return (first & 0x0F) << 12 | second << 6 | third;
    }
    return (first & 0x07) << 18 | second << 12 | third << 6 | bytes[at + 3] & 0x3F;
  }

  /** Where the character before this place begins, in well-formed UTF-8. */
  static int previous(byte[] bytes, int at) {
    int p = at - 1;
    while ((bytes[p] & 0xC0) == 0x80) {
      p--;
    }
    return p;
  }

  private static boolean isPair(String text, int i) {
    return Character.isHighSurrogate(text.charAt(i))
        && i + 1 < text.length()
        && Character.isLowSurrogate(text.charAt(i + 1));
  }
}
