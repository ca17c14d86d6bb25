package dev.tandem.text;

import dev.tandem.model.gguf.GgufMetadata;
import java.util.BitSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;

/** Builds the {@link Tokenizer} that metadata describes; the rules per kind are all here. */
final class TokenizerReader {
  private static final String MODEL = "tokenizer.ggml.model";
  private static final String PRE = "tokenizer.ggml.pre";
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
            MergeReader.read(metadata, vocabulary, spelling),
            new PreTokenizer(rules.patterns()),
            spelling,
            rules.wholeWords() ? BytePairEncoder.WholeWords.ALL : BytePairEncoder.WholeWords.NONE);
    return tokenizer(
        vocabulary, encoder, false, around(vocabulary, SpecialToken.BOS, ADD_BOS, rules.addBos()));
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
        vocabulary,
        new SentencePieceEncoder(vocabulary, scores, spacePrefix),
        spacePrefix,
        around(vocabulary, SpecialToken.BOS, ADD_BOS, true));
  }

  /** SentencePiece's pieces with merges as BPE has them; only line feeds bound words. */
  private Tokenizer gemma4() {
    PieceSpelling spelling = PieceSpelling.VISIBLE_SPACES;
    Vocabulary vocabulary = VocabularyReader.read(metadata, spelling);
    TextEncoder encoder =
        new BytePairEncoder(
            vocabulary,
            MergeReader.read(metadata, vocabulary, spelling),
            new PreTokenizer(List.of("[^\\n]+|\\n+")),
            spelling,
            BytePairEncoder.WholeWords.LINE_FEEDS);
    // Files that say otherwise are wrong: without BOS these models talk nonsense.
    return tokenizer(vocabulary, encoder, false, vocabulary.special(SpecialToken.BOS));
  }

  private Tokenizer tokenizer(
      Vocabulary vocabulary, TextEncoder encoder, boolean spacePrefix, OptionalInt begin) {
    return new Tokenizer(
        vocabulary,
        encoder,
        eatsSpaceBehind(vocabulary),
        spacePrefix,
        begin.stream().toArray(),
        around(vocabulary, SpecialToken.EOS, ADD_EOS, false).stream().toArray());
  }

  /** The token to add at one end; a default that the vocabulary cannot follow adds nothing. */
  private OptionalInt around(
      Vocabulary vocabulary, SpecialToken part, String key, boolean addByDefault) {
    Optional<Boolean> asked = metadata.findBool(key);
    OptionalInt token = vocabulary.special(part);
    if (asked.orElse(false) && token.isEmpty()) {
      throw metadata.problem(part.key(), "the key is missing, but " + key + " is true");
    }
    return asked.orElse(addByDefault) ? token : OptionalInt.empty();
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
}
