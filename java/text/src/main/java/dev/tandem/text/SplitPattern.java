package dev.tandem.text;

/**
 * A regular expression over UTF-8 bytes, of the small kind that pre-tokenizers are written in.
 *
 * <p>Characters, classes, categories, {@code \s}, alternatives, groups, greedy and possessive
 * quantifiers, and looking one character ahead or behind. Alternatives and quantifiers are tried in
 * the order of Perl and of Rust, so the first match found is theirs. A quantifier stands after a
 * single character or class, or is a {@code ?} after a group: a match then needs no more stack than
 * the pattern has parts, however long the text is. That, the speed, and the Unicode tables, which
 * must not change with the JDK, are why this is not {@link java.util.regex.Pattern}.
 */
final class SplitPattern {
  private final String source;
  private final Part start;

  private SplitPattern(String source, Part start) {
    this.source = source;
    this.start = start;
  }

  /**
   * Reads a pattern.
   *
   * @throws IllegalArgumentException if it uses what is not supported
   */
  static SplitPattern compile(String source) {
    return new SplitPattern(source, new SplitPatternParser(source).parse());
  }

  /** The end of the match that begins exactly here, or -1. */
  int match(Text text, int at) {
    return start.match(text, at);
  }

  @Override
  public String toString() {
    return source;
  }

  /**
   * What is matched: well-formed UTF-8 from {@code from} to {@code to}, exclusive. Nothing outside
   * is looked at.
   */
  record Text(byte[] bytes, int from, int to) {}

  /** A part of a pattern, which knows the parts after it. */
  interface Part {
    /** The end of a match of this part and all after it, or -1. */
    int match(Text text, int at);
  }

  /** Behind the last part. */
  record End() implements Part {
    @Override
    public int match(Text text, int at) {
      return at;
    }
  }

  /** The end of the text: {@code $}. */
  record TextEnd(Part next) implements Part {
    @Override
    public int match(Text text, int at) {
      return at == text.to ? next.match(text, at) : -1;
    }
  }

  /** One of several, the first that matches with what follows. */
  record Choice(Part[] alternatives) implements Part {
    @Override
    public int match(Text text, int at) {
      for (Part alternative : alternatives) {
        int end = alternative.match(text, at);
        if (end >= 0) {
          return end;
        }
      }
      return -1;
    }
  }

  /**
   * Characters of a set, as many as possible, and unless possessive fewer if that helps the rest.
   */
  record Repeat(CodePointSet set, int least, int most, boolean possessive, Part next)
      implements Part {
    @Override
    public int match(Text text, int at) {
      byte[] bytes = text.bytes;
      int p = at;
      int count = 0;
      while (count < most && p < text.to) {
        int c = bytes[p];
        if (c >= 0 ? !set.containsAscii(c) : !set.contains(Utf8.codePoint(bytes, p))) {
          break;
        }
        p += Utf8.length((byte) c);
        count++;
      }
      while (count >= least) {
        int end = next.match(text, p);
        if (end >= 0 || possessive || count == least) {
          return end;
        }
        p = Utf8.previous(bytes, p);
        count--;
      }
      return -1;
    }
  }

  /** Whether the character ahead or behind is one of a set, without taking it. */
  record Look(CodePointSet set, boolean behind, boolean wanted, Part next) implements Part {
    @Override
    public int match(Text text, int at) {
      boolean exists = behind ? at > text.from : at < text.to;
      boolean found =
          exists
              && set.contains(
                  Utf8.codePoint(text.bytes, behind ? Utf8.previous(text.bytes, at) : at));
      return found == wanted ? next.match(text, at) : -1;
    }
  }
}
