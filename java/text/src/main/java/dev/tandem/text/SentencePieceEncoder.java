package dev.tandem.text;

/**
 * SentencePiece's BPE: of all neighbours whose text together is a token, those with the highest
 * score become one, until there are none. Words do not bound it: the whole text is one. Kudo and
 * Richardson, "SentencePiece" (2018).
 */
final class SentencePieceEncoder implements TextEncoder {
  private final Vocabulary vocabulary;
  private final boolean spacePrefix;
  private final int longestPiece;

  /** By token: its place among all scores, the highest score first, as a number to be compared. */
  private final int[] ranks;

  SentencePieceEncoder(Vocabulary vocabulary, float[] scores, boolean spacePrefix) {
    this.vocabulary = vocabulary;
    this.spacePrefix = spacePrefix;
    ranks = new int[scores.length];
    int longest = 0;
    for (int id = 0; id < scores.length; id++) {
      ranks[id] = descending(scores[id]);
      longest = Math.max(longest, vocabulary.byteLength(id));
    }
    longestPiece = longest;
  }

  /** An int that is the smaller the greater the score. */
  private static int descending(float score) {
    int bits = Float.floatToIntBits(0f - score); // both zeros become the same
    return bits >= 0 ? bits : bits ^ Integer.MAX_VALUE;
  }

  @Override
  public void encode(
      byte[] text, int from, int to, boolean afterSpecial, MergeLoop symbols, TokenBuffer out) {
    byte[] spaced = new byte[to - from + 1];
    int start = 0;
    if (spacePrefix && afterSpecial) {
      spaced[start++] = ' ';
    }
    int end = PieceSpelling.VISIBLE_SPACES.decode(text, from, to, spaced, start);
    symbols.clear();
    for (int at = 0; at < end; ) {
      int next = at + Utf8.length(spaced[at]);
      symbols.add(vocabulary.findText(spaced, at, next), at, next);
      at = next;
    }
    symbols.run((all, left, right) -> rank(spaced, all.from(left), all.to(right)));
    for (int i = symbols.first(); symbols.has(i); i = symbols.next(i)) {
      if (symbols.token(i) >= 0) {
        out.add(symbols.token(i));
      } else {
        vocabulary.addCharacter(spaced, symbols.from(i), symbols.to(i), out);
      }
    }
  }

  private long rank(byte[] text, int from, int to) {
    if (to - from > longestPiece) {
      return MergeLoop.NO_MERGE;
    }
    int token = vocabulary.findText(text, from, to);
    return token < 0 ? MergeLoop.NO_MERGE : MergeLoop.merge(ranks[token], token);
  }
}
