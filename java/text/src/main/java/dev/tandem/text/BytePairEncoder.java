package dev.tandem.text;

/**
 * Byte pair encoding: within each word, the pair of neighbours that stands first in the list of
 * merges becomes one, until no pair is in the list. Sennrich et al., "Neural Machine Translation of
 * Rare Words with Subword Units" (2016).
 *
 * <p>Some byte-level vocabularies lack a few bytes of rare characters. These bytes are left out, as
 * everywhere else: the token that such files call unknown ends a text.
 */
final class BytePairEncoder implements TextEncoder {
  /** Which words that are tokens need no merging. */
  enum WholeWords {
    NONE,
    LINE_FEEDS,
    ALL
  }

  private final Vocabulary vocabulary;
  private final MergeTable merges;
  private final PreTokenizer preTokenizer;

  /** Pieces in the byte alphabet are merged from bytes, others from characters. */
  private final PieceSpelling spelling;

  private final WholeWords wholeWords;

  BytePairEncoder(
      Vocabulary vocabulary,
      MergeTable merges,
      PreTokenizer preTokenizer,
      PieceSpelling spelling,
      WholeWords wholeWords) {
    this.vocabulary = vocabulary;
    this.merges = merges;
    this.preTokenizer = preTokenizer;
    this.spelling = spelling;
    this.wholeWords = wholeWords;
  }

  @Override
  public void encode(
      byte[] text, int from, int to, boolean afterSpecial, MergeLoop symbols, TokenBuffer out) {
    PreTokenizer.Sink words = (bytes, start, end) -> encodeWord(bytes, start, end, symbols, out);
    switch (spelling) {
      case BYTE_ALPHABET -> preTokenizer.split(text, from, to, words);
      case VISIBLE_SPACES -> {
        byte[] spaced = new byte[to - from];
        preTokenizer.split(spaced, 0, spelling.decode(text, from, to, spaced, 0), words);
      }
    }
  }

  private void encodeWord(byte[] text, int from, int to, MergeLoop symbols, TokenBuffer out) {
    if (mayBeWhole(text, from, to)) {
      int whole = vocabulary.findText(text, from, to);
      if (whole >= 0) {
        out.add(whole);
        return;
      }
    }
    symbols.clear();
    switch (spelling) {
      case BYTE_ALPHABET -> {
        for (int at = from; at < to; at++) {
          symbols.add(vocabulary.byteToken(text[at]), at, at + 1);
        }
      }
      case VISIBLE_SPACES -> {
        for (int at = from; at < to; ) {
          int end = at + Utf8.length(text[at]);
          symbols.add(vocabulary.findText(text, at, end), at, end);
          at = end;
        }
      }
    }
    symbols.run((all, left, right) -> merges.find(all.token(left), all.token(right)));
    for (int i = symbols.first(); symbols.has(i); i = symbols.next(i)) {
      if (symbols.token(i) >= 0) {
        out.add(symbols.token(i));
      } else if (spelling == PieceSpelling.VISIBLE_SPACES) {
        vocabulary.addCharacter(text, symbols.from(i), symbols.to(i), out);
      }
    }
  }

  private boolean mayBeWhole(byte[] text, int from, int to) {
    return switch (wholeWords) {
      case NONE -> false;
      case ALL -> true;
      case LINE_FEEDS -> text[from] == '\n';
    };
  }
}
