package dev.tandem.text;

/** Turns text without special tokens into tokens. */
sealed interface TextEncoder permits BytePairEncoder, SentencePieceEncoder {
  /**
   * Appends the tokens of {@code text[from .. to]}.
   *
   * @param text well-formed UTF-8
   * @param afterSpecial whether a special token, or nothing, comes before
   * @param symbols room to work in
   */
  void encode(
      byte[] text, int from, int to, boolean afterSpecial, MergeLoop symbols, TokenBuffer out);
}
