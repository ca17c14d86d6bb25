package dev.tandem.text;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.model.gguf.StringTable;

/** Reads the list of merges of a GGUF file, each {@code left right}, into a {@link MergeTable}. */
final class MergeReader {
  private static final String MERGES = "tokenizer.ggml.merges";

  private final GgufMetadata metadata;
  private final PieceTable pieces;
  private final PieceSpelling spelling;
  private final StringTable merges;
  private final MergeTable table;

  /** The bytes of the merge in hand, left and right. */
  private byte[] bytes = new byte[64];

  /** The token that the merge before made. */
  private int merged = -1;

  private MergeReader(GgufMetadata metadata, Vocabulary vocabulary, PieceSpelling spelling) {
    this.metadata = metadata;
    this.spelling = spelling;
    pieces = vocabulary.pieces();
    merges = metadata.strings(MERGES);
    table = new MergeTable(merges.size());
  }

  /** The merges of a vocabulary, whose tokens are spelt in this way. */
  static MergeTable read(GgufMetadata metadata, Vocabulary vocabulary, PieceSpelling spelling) {
    MergeReader reader = new MergeReader(metadata, vocabulary, spelling);
    for (int rank = 0; rank < reader.merges.size(); rank++) {
      reader.read(rank);
    }
    return reader.table;
  }

  private void read(int rank) {
    int start = merges.start(rank);
    int end = merges.end(rank);
    int space = space(start, end);
    if (space >= end - 1) {
      throw malformed(rank, "is not two tokens with a space between them");
    }
    if (bytes.length < end - start) {
      bytes = new byte[2 * (end - start)];
    }
    int middle = decode(start, space, 0);
    int length = decode(space + 1, end, middle);
    int left = pieces.find(bytes, 0, middle);
    int right = pieces.find(bytes, middle, length);
    merged = merged(length);
    if (left < 0 || right < 0 || merged < 0) {
      String missing = left < 0 ? "the left part" : right < 0 ? "the right part" : "the whole";
      throw malformed(rank, "refers to a token that is not there: " + missing);
    }
    table.add(left, right, rank, merged);
  }

  /** Where the space is; the first byte is part of the left token even if it is one. */
  private int space(int start, int end) {
    byte[] text = merges.bytes();
    int space = start + 1;
    while (space < end && text[space] != ' ') {
      space++;
    }
    return space;
  }

  private int decode(int from, int to, int at) {
    int decoded = spelling.decode(merges.bytes(), from, to, bytes, at);
    return decoded < 0 ? ~decoded : decoded;
  }

  /** The token of both parts. Merges mostly stand in the order of the tokens that they make. */
  private int merged(int length) {
    if (pieces.isUnique() && pieces.is(merged, bytes, 0, length)) {
      return merged;
    }
    if (pieces.isUnique() && pieces.is(merged + 1, bytes, 0, length)) {
      return merged + 1;
    }
    return pieces.find(bytes, 0, length);
  }

  private ModelFormatException malformed(int rank, String problem) {
    return metadata.problem(
        MERGES + "[" + rank + "]", "\"" + merges.string(rank) + "\" " + problem);
  }
}
