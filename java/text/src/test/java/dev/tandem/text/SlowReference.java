package dev.tandem.text;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.StringTable;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The tokenizers once more, as a textbook has them: strings, maps, {@link Pattern}, and a search
 * through all pairs before every merge.
 */
public final class SlowReference {
  private static final List<String> LETTERS = letters();

  private final Map<String, Integer> text = new HashMap<>();
  private final Map<String, Integer> userDefined = new HashMap<>();
  private final int[] bytes = new int[256];
  private final Function<String, List<Integer>> encoding;

  SlowReference(GgufMetadata metadata) {
    StringTable tokens = metadata.strings("tokenizer.ggml.tokens");
    int[] types = metadata.integers("tokenizer.ggml.token_type");
    Vocabulary vocabulary = Tokenizer.of(metadata).vocabulary();
    for (int id = 0; id < types.length; id++) {
      String token = tokens.string(id);
      // Some user-defined tokens become control tokens by their names.
      TokenType type =
          vocabulary.type(id) == TokenType.CONTROL
              ? TokenType.CONTROL
              : TokenType.ofCode(types[id]);
      switch (type) {
        case NORMAL, UNDEFINED, UNUSED -> text.putIfAbsent(token, id);
        case USER_DEFINED -> userDefined.putIfAbsent(token, id);
        case BYTE -> bytes[Integer.parseInt(token, 3, 5, 16)] = id;
        case CONTROL, UNKNOWN -> {}
      }
    }
    encoding =
        switch (metadata.string("tokenizer.ggml.model")) {
          case "gpt2" -> byteLevel(metadata);
          case "gemma4" -> gemma4(metadata);
          default -> sentencePiece(metadata);
        };
  }

  /** The tokens of a text without special tokens. */
  List<Integer> encode(String input) {
    List<Integer> ids = new ArrayList<>();
    int plain = 0;
    for (int at = 0; at < input.length(); ) {
      int here = at;
      var found =
          userDefined.keySet().stream()
              .filter(token -> !token.isEmpty() && input.startsWith(token, here))
              .max(Comparator.comparingInt(token -> utf8(token).length));
      if (found.isEmpty()) {
        at++;
        continue;
      }
      if (plain < at) {
        ids.addAll(encoding.apply(input.substring(plain, at)));
      }
      ids.add(userDefined.get(found.get()));
      at += found.get().length();
      plain = at;
    }
    if (plain < input.length()) {
      ids.addAll(encoding.apply(input.substring(plain)));
    }
    return ids;
  }

  /** Whether all bytes of this text have tokens, or characters do without. */
  boolean covers(String input) {
    return bytes['a'] > 0 || letters(input).stream().allMatch(text::containsKey);
  }

  private Function<String, List<Integer>> byteLevel(GgufMetadata metadata) {
    PreTokenizerRules rules =
        PreTokenizerRules.named(metadata.string("tokenizer.ggml.pre")).orElseThrow();
    Map<String, Integer> ranks = ranks(metadata);
    return input -> {
      List<Integer> ids = new ArrayList<>();
      for (String word : words(rules, input)) {
        List<String> letters = letters(word);
        Integer whole = text.get(String.join("", letters));
        if (rules.wholeWords() && whole != null) {
          ids.add(whole);
        } else {
          merge(letters, ranks::get).stream()
              .filter(text::containsKey) // the others are bytes that the vocabulary lacks
              .forEach(symbol -> ids.add(text.get(symbol)));
        }
      }
      return ids;
    };
  }

  private Function<String, List<Integer>> gemma4(GgufMetadata metadata) {
    Map<String, Integer> ranks = ranks(metadata);
    return input -> {
      List<Integer> ids = new ArrayList<>();
      Matcher lines = Pattern.compile("[^\n]+|\n+").matcher(input.replace(' ', '\u2581'));
      while (lines.find()) {
        if (lines.group().startsWith("\n") && text.containsKey(lines.group())) {
          ids.add(text.get(lines.group()));
        } else {
          merge(characters(lines.group()), ranks::get).forEach(symbol -> add(symbol, ids));
        }
      }
      return ids;
    };
  }

  private Function<String, List<Integer>> sentencePiece(GgufMetadata metadata) {
    float[] scores = metadata.reals("tokenizer.ggml.scores");
    boolean prefix = metadata.findBool("tokenizer.ggml.add_space_prefix").orElse(true);
    Function<String, Float> cost =
        pair -> {
          Integer token = text.get(pair.replace(" ", ""));
          return token == null ? null : 0f - scores[token];
        };
    return input -> {
      List<Integer> ids = new ArrayList<>();
      String spaced = ((prefix ? " " : "") + input).replace(' ', '\u2581');
      merge(characters(spaced), cost).forEach(symbol -> add(symbol, ids));
      return ids;
    };
  }

  private void add(String symbol, List<Integer> ids) {
    if (text.containsKey(symbol)) {
      ids.add(text.get(symbol));
    } else {
      for (byte b : utf8(symbol)) {
        ids.add(bytes[b & 0xFF]);
      }
    }
  }

  /** Merges the best pair, of equals the leftmost, until none has a cost. */
  static <C extends Comparable<C>> List<String> merge(
      List<String> symbols, Function<String, C> costOfPair) {
    List<String> merged = new ArrayList<>(symbols);
    while (true) {
      int best = -1;
      C least = null;
      for (int i = 0; i + 1 < merged.size(); i++) {
        C cost = costOfPair.apply(merged.get(i) + " " + merged.get(i + 1));
        if (cost != null && (least == null || cost.compareTo(least) < 0)) {
          best = i;
          least = cost;
        }
      }
      if (best < 0) {
        return merged;
      }
      merged.set(best, merged.get(best) + merged.remove(best + 1));
    }
  }

  private static Map<String, Integer> ranks(GgufMetadata metadata) {
    Map<String, Integer> ranks = new HashMap<>();
    StringTable merges = metadata.strings("tokenizer.ggml.merges");
    for (int i = 0; i < merges.size(); i++) {
      ranks.putIfAbsent(merges.string(i), i);
    }
    return ranks;
  }

  /** The words of a text, by the JDK's regular expressions. */
  static List<String> words(PreTokenizerRules rules, String input) {
    List<String> pieces = List.of(input);
    for (String pattern : rules.patterns()) {
      List<String> finer = new ArrayList<>();
      for (String piece : pieces) {
        Matcher matcher =
            Pattern.compile(
                    pattern,
                    Pattern.UNICODE_CHARACTER_CLASS | Pattern.UNICODE_CASE | Pattern.UNIX_LINES)
                .matcher(piece);
        int end = 0;
        while (matcher.find()) {
          finer.add(piece.substring(end, matcher.start()));
          finer.add(matcher.group());
          end = matcher.end();
        }
        finer.add(piece.substring(end));
      }
      finer.removeIf(String::isEmpty);
      pieces = finer;
    }
    return pieces;
  }

  /** The bytes of a text, each as the letter that stands for it. */
  static List<String> letters(String word) {
    List<String> letters = new ArrayList<>();
    for (byte b : utf8(word)) {
      letters.add(letter(b & 0xFF));
    }
    return letters;
  }

  /** The letter of a byte in GPT-2's alphabet. */
  public static String letter(int b) {
    return LETTERS.get(b);
  }

  private static List<String> letters() {
    List<String> letters = new ArrayList<>();
    int others = 0;
    for (int b = 0; b < 256; b++) {
      letters.add(Character.toString(isPrintable(b) ? b : 256 + others++));
    }
    return letters;
  }

  private static boolean isPrintable(int b) {
    return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
  }

  private static List<String> characters(String input) {
    return input.codePoints().mapToObj(Character::toString).toList();
  }

  private static byte[] utf8(String input) {
    return input.getBytes(StandardCharsets.UTF_8);
  }
}
