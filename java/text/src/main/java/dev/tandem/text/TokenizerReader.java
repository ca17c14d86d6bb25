package dev.tandem.text;

import dev.tandem.model.ModelFormatException;
import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.StringTable;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.OptionalInt;

/** Builds the {@link Tokenizer} that metadata describes; the rules per kind are all here. */
final class TokenizerReader {
  private static final String MODEL = "tokenizer.ggml.model";
  private static final String PRE = "tokenizer.ggml.pre";
  private static final String MERGES = "tokenizer.ggml.merges";
  private static final String SCORES = "tokenizer.ggml.scores";
  private static final String ADD_BOS = "tokenizer.ggml.add_bos_token";
  private static final String ADD_EOS = "tokenizer.ggml.add_eos_token";
  private static final String ADD_SPACE_PREFIX = "tokenizer.ggml.add_space_prefix";
  private static final String NAME = "general.name";

  private final GgufMetadata metadata;

  private TokenizerReader(GgufMetadata metadata) {
    this.metadata = metadata;
  }

  static Tokenizer read(GgufMetadata metadata) {
    return new TokenizerReader(metadata).read();
  }

  private Tokenizer read() {
    String model = metadata.string(MODEL);
    return switch (model) {
      case "gpt2" -> byteLevel();
      case "llama" -> sentencePiece();
      case "gemma4" -> gemma4();
      default ->
          throw metadata.problem(
              MODEL, "\"" + model + "\" is not supported; supported: gemma4, gpt2, llama");
    };
  }

  /** Byte-level BPE, with the words of a named pre-tokenizer. */
  private Tokenizer byteLevel() {
    String pre = metadata.findString(PRE).filter(name -> !name.isEmpty()).orElse("default");
    PreTokenizerRules rules =
        PreTokenizerRules.named(pre)
            .orElseThrow(() ->
                metadata.problem(
                    PRE,
                    "\""
                        + pre
                        + "\" is not supported; supported: "
                        + String.join(", ", PreTokenizerRules.names())));
    PieceSpelling spelling = PieceSpelling.BYTE_ALPHABET;
    Vocabulary vocabulary = VocabularyReader.read(metadata, spelling);
    TextEncoder encoder =
        new BytePairEncoder(
            vocabulary,
            merges(vocabulary, spelling),
            new PreTokenizer(rules.patterns()),
            spelling,
            rules.wholeWords() ? BytePairEncoder.WholeWords.ALL : BytePairEncoder.WholeWords.NONE);
    return tokenizer(vocabulary, encoder, false, rules.addBos());
  }

  private Tokenizer sentencePiece() {
    Vocabulary vocabulary = VocabularyReader.read(metadata, PieceSpelling.VISIBLE_SPACES);
    float[] scores = metadata.reals(SCORES);
    if (scores.length != vocabulary.size()) {
      throw metadata.problem(
          SCORES, "has " + scores.length + " entries for " + vocabulary.size() + " tokens");
    }
    for (int id = 0; id < scores.length; id++) {
      if (Float.isNaN(scores[id])) {
        throw metadata.problem(SCORES + "[" + id + "]", "is not a number");
      }
    }
    boolean spacePrefix = metadata.findBool(ADD_SPACE_PREFIX).orElse(true);
    return tokenizer(
        vocabulary, new SentencePieceEncoder(vocabulary, scores, spacePrefix), spacePrefix, true);
  }

  /** SentencePiece's pieces with merges as BPE has them; only line feeds bound words. */
  private Tokenizer gemma4() {
    PieceSpelling spelling = PieceSpelling.VISIBLE_SPACES;
    Vocabulary vocabulary = VocabularyReader.read(metadata, spelling);
    TextEncoder encoder =
        new BytePairEncoder(
            vocabulary,
            merges(vocabulary, spelling),
            new PreTokenizer(List.of("[^\\n]+|\\n+")),
            spelling,
            BytePairEncoder.WholeWords.LINE_FEEDS);
    return tokenizer(vocabulary, encoder, false, true);
  }

  private Tokenizer tokenizer(
      Vocabulary vocabulary, TextEncoder encoder, boolean spacePrefix, boolean addBos) {
    return new Tokenizer(
        vocabulary,
        encoder,
        eatsSpaceBehind(vocabulary),
        spacePrefix,
        around(vocabulary, SpecialToken.BOS, ADD_BOS, addBos),
        around(vocabulary, SpecialToken.EOS, ADD_EOS, false));
  }

  /** The token to add at one end; a default that the vocabulary cannot follow adds nothing. */
  private int[] around(Vocabulary vocabulary, SpecialToken part, String key, boolean addByDefault) {
    boolean asked = metadata.findBool(key).orElse(false);
    OptionalInt token = vocabulary.special(part);
    if (asked && token.isEmpty()) {
      throw metadata.problem(part.key(), "the key is missing, but " + key + " is true");
    }
    return metadata.findBool(key).orElse(addByDefault) ? token.stream().toArray() : new int[0];
  }

  /**
   * Phi-3's special tokens take the white space behind them away, and its files do not say so: it
   * is known by name, as in llama.cpp.
   */
  private BitSet eatsSpaceBehind(Vocabulary vocabulary) {
    BitSet tokens = new BitSet();
    String name = metadata.findString(NAME).orElse("").toLowerCase(Locale.ROOT);
    if (name.contains("phi-3") || name.contains("phi3")) {
      for (int id = 0; id < vocabulary.size(); id++) {
        switch (vocabulary.type(id)) {
          case CONTROL, UNKNOWN, USER_DEFINED -> tokens.set(id);
          case NORMAL, UNDEFINED, UNUSED, BYTE -> {}
        }
      }
      for (String exception : List.of("<unk>", "<s>", "<|endoftext|>")) {
        vocabulary.find(exception).ifPresent(tokens::clear);
      }
    }
    return tokens;
  }

  private MergeTable merges(Vocabulary vocabulary, PieceSpelling spelling) {
    StringTable merges = metadata.strings(MERGES);
    PieceTable pieces = vocabulary.pieces();
    MergeTable table = new MergeTable(merges.size());
    byte[] text = merges.bytes();
    byte[] merged = new byte[64];
    int both = -1;
    for (int rank = 0; rank < merges.size(); rank++) {
      int start = merges.start(rank);
      int end = merges.end(rank);
      if (merged.length < end - start) {
        merged = new byte[2 * (end - start)];
      }
      // The first byte is part of the left token even if it is a space.
      int space = start + 1;
      while (space < end && text[space] != ' ') {
        space++;
      }
      if (space >= end - 1) {
        throw malformed(merges, rank, "is not two tokens with a space between them");
      }
      int middle = length(spelling.decode(text, start, space, merged, 0));
      int length = length(spelling.decode(text, space + 1, end, merged, middle));
      int left = pieces.find(merged, 0, middle);
      int right = pieces.find(merged, middle, length);
      // Merges mostly stand in the order of the tokens that they make: try there first.
      if (!pieces.is(both, merged, 0, length)) {
        both = pieces.is(both + 1, merged, 0, length) ? both + 1 : pieces.find(merged, 0, length);
      }
      if (left < 0 || right < 0 || both < 0) {
        String missing = left < 0 ? "the left part" : right < 0 ? "the right part" : "the whole";
        throw malformed(merges, rank, "refers to a token that is not there: " + missing);
      }
      table.add(left, right, rank, both);
    }
    return table;
  }

  private static int length(int decoded) {
    return decoded < 0 ? ~decoded : decoded;
  }

  private ModelFormatException malformed(StringTable merges, int rank, String problem) {
    return metadata.problem(
        MERGES + "[" + rank + "]", "\"" + merges.string(rank) + "\" " + problem);
  }
}
