package dev.tandem.text;

/**
 * Prints the tokens of an answer as they are generated.
 *
 * <p>Control tokens print nothing unless asked for, half characters wait for their other half, and
 * the space that some models put before a text is left out. Allocates nothing per token. Not safe
 * for several threads.
 */
public final class TextStream {
  private final Tokenizer tokenizer;
  private final boolean showControl;
  private final Utf8Stream characters;
  private boolean afterSpecial = true;

  /**
   * A stream that stands at the beginning of a text.
   *
   * @param showControl whether control tokens print their names
   * @param sink takes the text as well-formed UTF-8
   */
  public TextStream(Tokenizer tokenizer, boolean showControl, Utf8Stream.Sink sink) {
    this.tokenizer = tokenizer;
    this.showControl = showControl;
    characters = new Utf8Stream(sink);
  }

  /** Says which token the next one follows, without printing it: the last one of the prompt. */
  public void follow(int id) {
    afterSpecial = tokenizer.isSpecial(id);
  }

  /** Prints a token, as far as its characters are complete. */
  public void print(int id) {
    Vocabulary vocabulary = tokenizer.vocabulary();
    if (showControl || vocabulary.type(id).isPrinted()) {
      PieceTable pieces = vocabulary.pieces();
      int start = pieces.start(id) + (tokenizer.startsWithAddedSpace(id, afterSpecial) ? 1 : 0);
      characters.write(pieces.bytes(), start, pieces.end(id));
    }
    follow(id);
  }

  /** Ends the text: what is incomplete becomes U+FFFD. The stream can then begin another one. */
  public void finish() {
    characters.finish();
    afterSpecial = true;
  }
}
