package dev.tandem.text;

import dev.tandem.text.SplitPattern.Text;
import java.util.List;

/**
 * Splits text into the words within which a byte-level BPE may merge.
 *
 * <p>The patterns are applied one after the other, each to the pieces that the one before left: a
 * match is a piece, and so is what lies between two matches.
 */
final class PreTokenizer {
  private final List<SplitPattern> patterns;

  PreTokenizer(List<String> patterns) {
    this.patterns = patterns.stream().map(SplitPattern::compile).toList();
  }

  /** Takes the words, in order. */
  interface Sink {
    void word(byte[] bytes, int from, int to);
  }

  /** Splits {@code bytes[from .. to]}, well-formed UTF-8. */
  void split(byte[] bytes, int from, int to, Sink sink) {
    split(0, bytes, from, to, sink);
  }

  private void split(int depth, byte[] bytes, int from, int to, Sink sink) {
    if (from == to) {
      return;
    }
    if (depth == patterns.size()) {
      sink.word(bytes, from, to);
      return;
    }
    SplitPattern pattern = patterns.get(depth);
    Text text = new Text(bytes, from, to);
    int gap = from;
    int at = from;
    while (at < to) {
      int end = pattern.match(text, at);
      if (end > at) {
        split(depth + 1, bytes, gap, at, sink);
        split(depth + 1, bytes, at, end, sink);
        gap = end;
        at = end;
      } else {
        at += Utf8.length(bytes[at]);
      }
    }
    split(depth + 1, bytes, gap, to, sink);
  }
}
