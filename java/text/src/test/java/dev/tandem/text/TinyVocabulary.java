package dev.tandem.text;

import dev.tandem.model.gguf.StringTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/** Small vocabularies for tests, trained or written down here. */
final class TinyVocabulary {
  static final String TEXT =
      """
      Once upon a time there was a little llama who didn't like the rain. "It's wet," she said,
      and she'll say it again in 2026, 1234 times: the rain, the rain, the rain!  Her friends the
      llamas of the Andes liked   it, though; they'd dance\tin it all day.

      def main(args):
          return {'hello': "world", 'answer': 42}    # <= 100 chars
      Ein Straßenfest für die Größten. Нещо на български, нещо ново. 我想在 apple 工作，我想。 🦙🦙🦙 é e\u0301
      """;

  private TinyVocabulary() {}

  /**
   * A byte-level BPE trained on {@link #TEXT}: 256 bytes, up to so many merges, four special
   * tokens.
   */
  static MetadataBuilder bytePair(String pre, int merges) {
    List<String> tokens = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      tokens.add(SlowReference.letter(b));
    }
    List<String> mergeList = new ArrayList<>();
    train(pre, merges, tokens, mergeList);
    int[] types = new int[tokens.size() + 4];
    Arrays.fill(types, TokenType.NORMAL.ordinal());
    for (String special : List.of("<|begin|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>")) {
      types[tokens.size()] = TokenType.CONTROL.ordinal();
      tokens.add(special);
    }
    return new MetadataBuilder()
        .set("model", "gpt2")
        .set("pre", pre)
        .set("tokens", tokens)
        .set("token_type", types)
        .set("merges", mergeList)
        .set("bos_token_id", types.length - 4L)
        .set("eos_token_id", types.length - 3L);
  }

  private static void train(String pre, int merges, List<String> tokens, List<String> mergeList) {
    List<List<String>> words = new ArrayList<>();
    for (String word : SlowReference.words(PreTokenizerRules.named(pre).orElseThrow(), TEXT)) {
      words.add(SlowReference.letters(word));
    }
    while (mergeList.size() < merges) {
      Map<String, Integer> counts = new TreeMap<>();
      for (List<String> word : words) {
        for (int i = 0; i + 1 < word.size(); i++) {
          counts.merge(word.get(i) + " " + word.get(i + 1), 1, Integer::sum);
        }
      }
      if (counts.isEmpty()) {
        return; // every word is a token
      }
      String best =
          counts.entrySet().stream().max(Map.Entry.comparingByValue()).orElseThrow().getKey();
      String merged = best.replace(" ", "");
      mergeList.add(best);
      if (!tokens.contains(merged)) {
        tokens.add(merged);
      }
      Map<String, Integer> ranks = new HashMap<>(Map.of(best, 0));
      words.replaceAll(word -> SlowReference.merge(word, pair -> ranks.get(pair)));
    }
  }

  /**
   * SentencePiece: all pieces of up to six characters of {@link #TEXT}'s words, longer ones better.
   */
  static MetadataBuilder sentencePiece() {
    List<String> tokens = new ArrayList<>(List.of("<unk>", "<s>", "</s>"));
    List<Integer> types = new ArrayList<>(List.of(2, 3, 3));
    for (int b = 0; b < 256; b++) {
      tokens.add(String.format("<0x%02X>", b));
      types.add(TokenType.BYTE.ordinal());
    }
    Map<String, Integer> counts = new TreeMap<>();
    String text = TEXT.replace(' ', '\u2581');
    int[] characters = text.codePoints().toArray();
    for (int i = 0; i < characters.length; i++) {
      for (int n = 1; n <= 6 && i + n <= characters.length; n++) {
        counts.merge(new String(characters, i, n), 1, Integer::sum);
      }
    }
    List<Float> scores = new ArrayList<>(Collections.nCopies(tokens.size(), 0f));
    counts.forEach((piece, count) -> {
      boolean oneCharacter = piece.codePointCount(0, piece.length()) == 1;
      if (oneCharacter ? count > 1 : count > 2) {
        tokens.add(piece);
        types.add(TokenType.NORMAL.ordinal());
        scores.add(-1000f / count); // many ties
      }
    });
    tokens.add("<|user|>");
    types.add(TokenType.USER_DEFINED.ordinal());
    scores.add(0f);
    float[] scoreArray = new float[scores.size()];
    for (int i = 0; i < scoreArray.length; i++) {
      scoreArray[i] = scores.get(i);
    }
    return new MetadataBuilder()
        .set("model", "llama")
        .set("tokens", tokens)
        .set("token_type", types.stream().mapToInt(Integer::intValue).toArray())
        .set("scores", scoreArray);
  }

  /**
   * Pieces as in {@link #sentencePiece}, merged by a list: every pair of pieces that is one too.
   */
  static MetadataBuilder gemma4() {
    MetadataBuilder builder = sentencePiece();
    StringTable tokens = builder.build().strings("tokenizer.ggml.tokens");
    Set<String> pieces = new HashSet<>();
    List<String> merges = new ArrayList<>();
    tokens.forEach(pieces::add);
    for (String piece : tokens) {
      for (int i = 1; i < piece.length(); i++) {
        if (pieces.contains(piece.substring(0, i)) && pieces.contains(piece.substring(i))) {
          merges.add(piece.substring(0, i) + " " + piece.substring(i));
        }
      }
    }
    Collections.shuffle(merges, new Random(1));
    return builder.set("model", "gemma4").set("merges", merges);
  }
}
