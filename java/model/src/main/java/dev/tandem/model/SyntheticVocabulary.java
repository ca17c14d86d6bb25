package dev.tandem.model;

import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A vocabulary that nobody trained, in the manner of SentencePiece: unknown, begin and end, one
 * token for every byte, the printable ASCII characters, then made-up words of syllables, each with
 * and without a space before it. It turns any text into tokens and any tokens into readable text.
 *
 * @param tokens the pieces, a space written as U+2581
 * @param scores the later a piece, the lower; a tokenizer joins the best-scored pair first
 * @param types GGUF's kinds of token
 */
record SyntheticVocabulary(List<String> tokens, float[] scores, int[] types) {
  /** The special tokens and the bytes, which every vocabulary has. */
  static final int LEAST = 3 + 256;

  private static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  private static final int CONTROL = 3;
  private static final int BYTE = 6;

  private static final char SPACE = '\u2581';
  private static final String CONSONANTS = "bdfghjklmnprstvwz";
  private static final String VOWELS = "aeiou";

  /**
   * A vocabulary of {@code size} tokens.
   *
   * @throws IllegalArgumentException if the size does not hold the special tokens and the bytes
   */
  static SyntheticVocabulary of(int size) {
    if (size < LEAST) {
      throw new IllegalArgumentException(
          "a vocabulary of " + size + " tokens is too small; at least " + LEAST + " are needed");
    }
    List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
    for (int b = 0; b < 256; b++) {
      tokens.add(String.format(Locale.ROOT, "<0x%02X>", b));
    }
    for (char c = ' '; c < 127 && tokens.size() < size; c++) {
      tokens.add(String.valueOf(c == ' ' ? SPACE : c));
    }
    for (int word = 0; tokens.size() < size; word++) {
      tokens.add((word % 2 == 0 ? String.valueOf(SPACE) : "") + word(word / 2));
    }
    float[] scores = new float[size];
    int[] types = new int[size];
    for (int i = 0; i < size; i++) {
      scores[i] = i < LEAST ? 0 : LEAST - i;
      types[i] = i == 0 ? UNKNOWN : i < 3 ? CONTROL : i < LEAST ? BYTE : NORMAL;
    }
    return new SyntheticVocabulary(List.copyOf(tokens), scores, types);
  }

  /** Adds the metadata that describes the vocabulary. */
  void addTo(GgufWriter writer) {
    writer
        .put("tokenizer.ggml.model", GgufValue.text("llama"))
        .put("tokenizer.ggml.pre", GgufValue.text("default"))
        .put("tokenizer.ggml.tokens", GgufValue.texts(tokens))
        .put("tokenizer.ggml.scores", GgufValue.float32s(scores))
        .put("tokenizer.ggml.token_type", GgufValue.int32s(types))
        .put("tokenizer.ggml.unknown_token_id", GgufValue.uint32(0))
        .put("tokenizer.ggml.bos_token_id", GgufValue.uint32(1))
        .put("tokenizer.ggml.eos_token_id", GgufValue.uint32(2))
        .put("tokenizer.ggml.add_bos_token", GgufValue.bool(true))
        .put("tokenizer.ggml.add_eos_token", GgufValue.bool(false))
        .put("tokenizer.ggml.add_space_prefix", GgufValue.bool(true));
  }

  /**
   * Word {@code number}: its digits, with syllables for digits and no zero, so that none repeats.
   */
  private static String word(int number) {
    int syllables = CONSONANTS.length() * VOWELS.length();
    StringBuilder word = new StringBuilder();
    for (int left = number + 1; left > 0; left = (left - 1) / syllables) {
      int digit = (left - 1) % syllables;
      word.append(CONSONANTS.charAt(digit / VOWELS.length()));
      word.append(VOWELS.charAt(digit % VOWELS.length()));
    }
    return word.toString();
  }
}
