package dev.tandem.text;

/** How a vocabulary's file writes the bytes of its ordinary tokens. */
enum PieceSpelling {
  /** In the {@link ByteAlphabet}. */
  BYTE_ALPHABET {
    @Override
    int decode(byte[] text, int from, int to, byte[] target, int at) {
      return ByteAlphabet.decode(text, from, to, target, at);
    }
  },

  /** As UTF-8 in which {@code ▁} (U+2581) stands for a space. */
  VISIBLE_SPACES {
    @Override
    int decode(byte[] text, int from, int to, byte[] target, int at) {
      int p = at;
      for (int i = from; i < to; i++) {
        if (text[i] == (byte) 0xE2
            && i + 2 < to
            && text[i + 1] == (byte) 0x96
            && text[i + 2] == (byte) 0x81) {
          target[p++] = ' ';
          i += 2;
        } else {
          target[p++] = text[i];
        }
      }
      return p;
    }
  };

  /**
   * Writes the bytes that a piece stands for; they are never more than those of its spelling.
   *
   * @return where they end; the complement of it if the piece is not spelt in this way
   */
  abstract int decode(byte[] text, int from, int to, byte[] target, int at);
}
