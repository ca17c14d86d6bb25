package dev.tandem.text;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.ModelFormatException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;

/**
 * Turns text into the tokens of a model and tokens into text, exactly as the model was trained.
 *
 * <p>Nothing is ever cut off, and BOS and EOS are never added unasked: {@link #beginTokens()} and
 * {@link #endTokens()} say what the model expects around a prompt. Time grows with the length of
 * the text (n log n at worst), whatever the text is. Immutable and safe for many threads.
 */
public final class Tokenizer {
  private final Vocabulary vocabulary;
  private final TextEncoder encoder;
  private final SpecialTokenMatcher specialTokens;
  private final BitSet eatsSpaceBehind;
  private final boolean spacePrefix;
  private final int[] beginTokens;
  private final int[] endTokens;

  Tokenizer(
      Vocabulary vocabulary,
      TextEncoder encoder,
      BitSet eatsSpaceBehind,
      boolean spacePrefix,
      int[] beginTokens,
      int[] endTokens) {
    this.vocabulary = vocabulary;
    this.encoder = encoder;
    this.specialTokens = new SpecialTokenMatcher(vocabulary);
    this.eatsSpaceBehind = eatsSpaceBehind;
    this.spacePrefix = spacePrefix;
    this.beginTokens = beginTokens;
    this.endTokens = endTokens;
  }

  /**
   * The tokenizer that a model's metadata describes.
   *
   * @throws ModelFormatException if it is incomplete, contradicts itself, or is of a kind that is
   *     not supported
   */
  public static Tokenizer of(GgufMetadata metadata) {
    return TokenizerReader.read(metadata);
  }

  /** The tokens. */
  public Vocabulary vocabulary() {
    return vocabulary;
  }

  /** What the model expects before a prompt: BOS, or nothing. A copy. */
  public int[] beginTokens() {
    return beginTokens.clone();
  }

  /** What the model expects behind a prompt: nearly always nothing. A copy. */
  public int[] endTokens() {
    return endTokens.clone();
  }

  /**
   * The tokens of a text.
   *
   * @param text any text; a lone surrogate counts as U+FFFD
   * @param parseSpecial whether the name of a control token in it becomes that token
   */
  public int[] encode(String text, boolean parseSpecial) {
    return encode(List.of(new TextSpan(text, parseSpecial)));
  }

  /** The tokens of a text in parts; it is encoded as one, merges may cross from part to part. */
  public int[] encode(List<TextSpan> spans) {
    TokenBuffer out = new TokenBuffer();
    encode(spans, out);
    return out.toArray();
  }

  /**
   * Appends the tokens of a text in parts.
   *
   * @throws IllegalArgumentException if the text takes more than 2 GiB
   */
  public void encode(List<TextSpan> spans, TokenBuffer out) {
    long length = 0;
    for (TextSpan span : spans) {
      length += Utf8.length(span.text());
    }
    if (length > Integer.MAX_VALUE - 16) {
      throw new IllegalArgumentException(
          "a text of " + length + " bytes is too long; at most 2 GiB");
    }
    byte[] text = new byte[(int) length];
    int[] ends = new int[spans.size()];
    int at = 0;
    for (int i = 0; i < ends.length; i++) {
      at = Utf8.put(spans.get(i).text(), text, at);
      ends[i] = at;
    }
    new Run(text, out).encode(spans, ends);
  }

  /**
   * The bytes that tokens stand for: of the tokens of a text, that text. The space that some models
   * want before a text is left out again. Control tokens give their names.
   */
  public byte[] decode(int... ids) {
    int length = 0;
    for (int id : ids) {
      length = Math.addExact(length, vocabulary.byteLength(id));
    }
    byte[] bytes = new byte[length];
    int at = 0;
    boolean afterSpecial = true;
    for (int id : ids) {
      int end = at + vocabulary.copyBytes(id, bytes, at);
      if (startsWithAddedSpace(id, afterSpecial)) {
        System.arraycopy(bytes, at + 1, bytes, at, --end - at);
      }
      afterSpecial = isSpecial(id);
      at = end;
    }
    return Arrays.copyOf(bytes, at);
  }

  /** Whether the first byte of this token is a space that is not the text's. */
  boolean startsWithAddedSpace(int id, boolean afterSpecial) {
    return spacePrefix
        && afterSpecial
        && !isSpecial(id)
        && vocabulary.byteLength(id) > 0
        && vocabulary.pieces().bytes()[vocabulary.pieces().start(id)] == ' ';
  }

  /** Whether text behind this token begins anew. */
  boolean isSpecial(int id) {
    return switch (vocabulary.type(id)) {
      case CONTROL, UNKNOWN, USER_DEFINED -> true;
      case NORMAL, UNDEFINED, UNUSED, BYTE -> false;
    };
  }

  /** The encoding of one text. */
  private final class Run {
    private final byte[] text;
    private final TokenBuffer out;
    private final MergeLoop symbols = new MergeLoop();
    private boolean afterSpecial = true;

    Run(byte[] text, TokenBuffer out) {
      this.text = text;
      this.out = out;
    }

    /** Cuts the text at its special tokens and encodes what lies between them. */
    void encode(List<TextSpan> spans, int[] ends) {
      int plain = 0;
      int span = -1;
      int trustedTo = 0;
      for (int at = 0; at < text.length; ) {
        while (span < 0 || at >= ends[span]) {
          span++;
          trustedTo = at < trustedTo ? trustedTo : trustedTo(spans, ends, span, at);
        }
        int token = specialTokens.match(text, at, text.length, trustedTo);
        if (token < 0) {
          at++;
          continue;
        }
        encodePlain(plain, at);
        out.add(token);
        afterSpecial = true;
        at += vocabulary.byteLength(token);
        while (eatsSpaceBehind.get(token) && at < text.length && isSpace(text[at])) {
          at++;
        }
        plain = at;
      }
      encodePlain(plain, text.length);
    }

    /** How far trusted text reaches from here: neighbouring spans count as one. */
    private int trustedTo(List<TextSpan> spans, int[] ends, int span, int at) {
      int trustedTo = at;
      for (int i = span; i < ends.length && spans.get(i).parseSpecial(); i++) {
        trustedTo = ends[i];
      }
      return trustedTo;
    }

    private void encodePlain(int from, int to) {
      if (from < to) {
        encoder.encode(text, from, to, afterSpecial, symbols, out);
        afterSpecial = false;
      }
    }

    private static boolean isSpace(byte b) {
      return b == ' ' || b >= '\t' && b <= '\r';
    }
  }
}
