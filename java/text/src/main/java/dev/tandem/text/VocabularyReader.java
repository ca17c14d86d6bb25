package dev.tandem.text;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.StringTable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Reads the {@link Vocabulary} of a GGUF file and checks all of it.
 *
 * <p>Files say too little about their special tokens. What is missing is filled in as llama.cpp
 * does it, by the tokens' texts, so that a model stops here where it stops there.
 */
final class VocabularyReader {
  static final String TOKENS = "tokenizer.ggml.tokens";
  private static final String TOKEN_TYPES = "tokenizer.ggml.token_type";

  /** Texts that end a generation wherever they are tokens. */
  private static final List<String> END_TEXTS =
      List.of(
          "<|eot_id|>",
          "<|im_end|>",
          "<|end|>",
          "<|return|>",
          "<|call|>",
          "<|flush|>",
          "<|calls|>",
          "<end_of_turn>",
          "<|endoftext|>",
          "</s>",
          "<|eom_id|>",
          "<EOT>",
          "_<EOT>",
          "[EOT]",
          "[EOS]",
          "<|end_of_text|>",
          "<end_of_utterance>",
          "<eos>",
          "<turn|>",
          "<|tool_response>",
          "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
          "[e~[");

  private final GgufMetadata metadata;
  private final StringTable tokens;
  private final TokenType[] types;
  private final PieceTable pieces;

  private VocabularyReader(GgufMetadata metadata, PieceSpelling spelling) {
    this.metadata = metadata;
    tokens = metadata.strings(TOKENS);
    if (tokens.size() == 0) {
      throw metadata.problem(TOKENS, "the vocabulary is empty");
    }
    types = types();
    pieces = pieces(spelling);
  }

  /** The vocabulary, whose tokens are spelt in this way. */
  static Vocabulary read(GgufMetadata metadata, PieceSpelling spelling) {
    return new VocabularyReader(metadata, spelling).vocabulary();
  }

  private TokenType[] types() {
    TokenType[] all = new TokenType[tokens.size()];
    Arrays.fill(all, TokenType.NORMAL);
    int[] codes = metadata.findIntegers(TOKEN_TYPES).orElse(null);
    if (codes == null) {
      return all;
    }
    if (codes.length != all.length) {
      throw metadata.problem(
          TOKEN_TYPES, "has " + codes.length + " entries for " + all.length + " tokens");
    }
    for (int id = 0; id < all.length; id++) {
      if (codes[id] < 0 || codes[id] >= TokenType.count()) {
        throw metadata.problem(
            TOKEN_TYPES + "[" + id + "]",
            "is " + codes[id] + ", but types go from 0 to " + (TokenType.count() - 1));
      }
      all[id] = TokenType.ofCode(codes[id]);
    }
    return all;
  }

  private PieceTable pieces(PieceSpelling spelling) {
    byte[] bytes = new byte[tokens.bytes().length];
    int[] ends = new int[tokens.size()];
    BitSet foreign = new BitSet();
    int at = 0;
    for (int id = 0; id < ends.length; id++) {
      int start = tokens.start(id);
      int end = tokens.end(id);
      switch (types[id]) {
        case NORMAL, UNDEFINED, UNUSED -> {
          int decoded = spelling.decode(tokens.bytes(), start, end, bytes, at);
          foreign.set(id, decoded < 0);
          at = decoded < 0 ? ~decoded : decoded;
        }
        case BYTE -> bytes[at++] = byteValue(id);
        case UNKNOWN, CONTROL, USER_DEFINED -> {
          System.arraycopy(tokens.bytes(), start, bytes, at, end - start);
          at += end - start;
          foreign.set(id);
        }
      }
      ends[id] = at;
    }
    PieceTable table = new PieceTable(Arrays.copyOf(bytes, at), ends);
    for (int id = 0; id < ends.length; id++) {
      if (!foreign.get(id) && types[id] != TokenType.BYTE) {
        table.index(id);
      }
    }
    // Only now those whose bytes may be those of ordinary text by accident.
    foreign.stream().forEach(table::index);
    return table;
  }

  /** The byte of a token that is written {@code <0xE2>}. */
  private byte byteValue(int id) {
    String text = tokens.string(id);
    boolean framed = text.length() == 6 && text.startsWith("<0x") && text.endsWith(">");
    int high = framed ? Character.digit(text.charAt(3), 16) : -1;
    int low = framed ? Character.digit(text.charAt(4), 16) : -1;
    if (high < 0 || low < 0) {
      throw metadata.problem(
          TOKENS + "[" + id + "]", "is a byte token, but is \"" + text + "\", not like <0x0A>");
    }
    return (byte) (high << 4 | low);
  }

  private Vocabulary vocabulary() {
    Map<SpecialToken, Integer> special = new EnumMap<>(SpecialToken.class);
    for (SpecialToken part : SpecialToken.values()) {
      OptionalInt named = named(part);
      if (named.isPresent()) {
        special.put(part, named.getAsInt());
      } else {
        for (String text : part.texts()) {
          int id = find(text);
          if (id >= 0) {
            special.put(part, id);
            markControl(id);
            break;
          }
        }
      }
    }
    return new Vocabulary(pieces, types, special, endsGeneration(special));
  }

  /** The token that the file names for this part. */
  private OptionalInt named(SpecialToken part) {
    OptionalLong id = metadata.findInteger(part.key());
    if (id.isEmpty()) {
      return OptionalInt.empty();
    }
    if (id.getAsLong() < 0 || id.getAsLong() >= types.length) {
      throw metadata.problem(
          part.key(),
          "is " + id.getAsLong() + ", but the vocabulary has " + types.length + " tokens");
    }
    return OptionalInt.of((int) id.getAsLong());
  }

  private BitSet endsGeneration(Map<SpecialToken, Integer> special) {
    BitSet ends = new BitSet();
    for (SpecialToken part :
        List.of(
            SpecialToken.EOS,
            SpecialToken.EOT,
            SpecialToken.EOM,
            SpecialToken.FIM_PAD,
            SpecialToken.FIM_REPOSITORY,
            SpecialToken.FIM_SEPARATOR)) {
      if (special.containsKey(part)) {
        ends.set(special.get(part));
      }
    }
    for (String text : END_TEXTS) {
      int id = find(text);
      if (id >= 0 && !hasOtherMeaning(text)) {
        ends.set(id);
        markControl(id);
      }
    }
    int end = find("<|end|>");
    if (end >= 0 && hasOtherMeaning("<|end|>")) {
      ends.clear(end);
    }
    return ends;
  }

  /** Whether the other tokens show that this text, in this vocabulary, does not end an answer. */
  private boolean hasOtherMeaning(String text) {
    return switch (text) {
      // It ends a message, after which the answer goes on in another channel.
      case "<|end|>" ->
          find("<|return|>") >= 0 && find("<|call|>") >= 0
              || find("<|calls|>") >= 0 && find("<|flush|>") >= 0;
      // The vocabulary has HTML tags as tokens: this one ends struck-out text.
      case "</s>" -> find("<|tool_response>") >= 0;
      default -> false;
    };
  }

  private void markControl(int id) {
    types[id] = TokenType.CONTROL;
  }

  private int find(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    return pieces.find(bytes, 0, bytes.length);
  }
}
