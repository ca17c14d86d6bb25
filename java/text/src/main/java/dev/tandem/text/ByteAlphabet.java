package dev.tandem.text;

import java.util.Arrays;

/**
 * The alphabet in which byte-level BPE vocabularies are written: a printable character per byte.
 *
 * <p>Printable Latin-1 stands for itself, and the other bytes, in order, are U+0100, U+0101, ...: a
 * space is {@code Ġ} (U+0120). Radford et al., "Language Models are Unsupervised Multitask
 * Learners" (2019), the code beside the paper.
 */
final class ByteAlphabet {
  /** The byte that a character stands for, or -1. */
  private static final short[] BYTE_BY_CHARACTER = new short[0x144];

  static {
    Arrays.fill(BYTE_BY_CHARACTER, (short) -1);
    int next = 0x100;
    for (int b = 0; b < 0x100; b++) {
      boolean printable = b > 0x20 && b < 0x7F || b > 0xA0 && b != 0xAD;
      BYTE_BY_CHARACTER[printable ? b : next++] = (short) b;
    }
  }

  private ByteAlphabet() {}

  /**
   * Writes the bytes that a text in this alphabet stands for; they are never more than the text's
   * own. A character that is not in the alphabet is copied.
   *
   * @return where they end; the complement of it if something was copied
   */
  static int decode(byte[] text, int from, int to, byte[] target, int at) {
    boolean copied = false;
    int p = at;
    for (int i = from; i < to; i++) {
      int character = text[i];
      int length = 1;
      if (character < 0 && character < (byte) 0xE0 && i + 1 < to) {
        character = (character & 0x1F) << 6 | text[i + 1] & 0x3F;
        length = 2;
      }
      int known =
          character >= 0 && character < BYTE_BY_CHARACTER.length
              ? BYTE_BY_CHARACTER[character]
              : -1;
      if (known >= 0) {
        target[p++] = (byte) known;
        i += length - 1;
      } else {
        target[p++] = text[i];
        copied = true;
      }
    }
    return copied ? ~p : p;
  }
}
