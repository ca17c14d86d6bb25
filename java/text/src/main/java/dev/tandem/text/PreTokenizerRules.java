package dev.tandem.text;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * What each value of {@code tokenizer.ggml.pre} means.
 *
 * <p>The patterns are those of the models' own {@code tokenizer.json}, in the order in which they
 * are applied; {@code default} is llama.cpp's, for files that do not say. A new pre-tokenizer is a
 * new row.
 *
 * @param patterns see {@link PreTokenizer}
 * @param wholeWords whether a word that is a token needs no merges ({@code ignore_merges})
 * @param addBos whether a prompt begins with BOS unless the file says otherwise
 */
record PreTokenizerRules(List<String> patterns, boolean wholeWords, boolean addBos) {
  private static final String CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String LINES_AND_SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String OTHERS = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
  private static final String GPT_2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
  private static final String LLAMA_3 =
      CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" + OTHERS + LINES_AND_SPACES;
  private static final String QWEN_2 =
      CONTRACTIONS + "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" + OTHERS + LINES_AND_SPACES;
  private static final String QWEN_3_5 =
      CONTRACTIONS
          + "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*"
          + LINES_AND_SPACES;

  private static final String MARGIN = "[^\\r\\n\\p{L}\\p{N}]?";
  private static final String CAPITALS = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String SMALL_LETTERS = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

  /** A word that ends in small letters, before a word in capitals. */
  private static final String SMALL_WORD = MARGIN + CAPITALS + "*" + SMALL_LETTERS + "+";

  private static final String CAPITAL_WORD = MARGIN + CAPITALS + "+" + SMALL_LETTERS + "*";
  private static final String OTHERS_AND_SLASHES = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*";
  private static final String GPT_4O =
      SMALL_WORD
          + CONTRACTIONS
          + "?|"
          + CAPITAL_WORD
          + CONTRACTIONS
          + "?|\\p{N}{1,3}"
          + OTHERS_AND_SLASHES
          + LINES_AND_SPACES;
  private static final String TEKKEN =
      SMALL_WORD + "|" + CAPITAL_WORD + "|\\p{N}" + OTHERS_AND_SLASHES + LINES_AND_SPACES;

  private static final String LINE_ENDS = "[\\r\\n]";

  /** Han, with everything between Arabic and Han, and Hangul. */
  private static final String DEEPSEEK_CJK = "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

  /** The cased letters of an older Unicode, as DeepSeek's first models list them. */
  private static final String DEEPSEEK_LETTERS =
      "\\s?[A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293"
          + "\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A"
          + "\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556"
          + "\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF"
          + "\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D"
          + "\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D"
          + "\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3"
          + "\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107\u210A-\u2113"
          + "\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139"
          + "\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4"
          + "\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F"
          + "\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17"
          + "\uFF21-\uFF3A\uFF41-\uFF5A\uD801\uDC00-\uD801\uDC4F\uD801\uDCB0-\uD801\uDCD3"
          + "\uD801\uDCD8-\uD801\uDCFB\uD803\uDC80-\uD803\uDCB2\uD803\uDCC0-\uD803\uDCF2\uD806\uDCA0-\uD806\uDCDF"
          + "\uD83A\uDD00-\uD83A\uDD43]+";

  private static final String DEEPSEEK_PUNCTUATION =
      "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+";

  /** {@code \s+$}; looking behind keeps a long run of spaces from being tried at each of them. */
  private static final String SPACES_AT_END = "(?<!\\s)\\s++$";

  private static final Map<String, PreTokenizerRules> BY_NAME = new TreeMap<>();

  static {
    add(List.of(GPT_2), "gpt-2", "mpt", "phi-2", "olmo", "exaone4", "trillion", "granite-docling");
    add(
        new PreTokenizerRules(List.of(LLAMA_3), true, true),
        "llama-bpe",
        "llama3",
        "llama-v3",
        "falcon3",
        "falcon-h1",
        "pixtral",
        "lfm2");
    add(List.of(LLAMA_3), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe");
    add(List.of(QWEN_2), "qwen2", "deepseek-r1-qwen", "stablelm2", "megrez");
    add(List.of(QWEN_3_5), "qwen35");
    add(
        List.of("\\p{N}", GPT_2),
        "smollm",
        "starcoder",
        "refact",
        "command-r",
        "codeshell",
        "exaone",
        "minerva-7b");
    add(List.of(LINE_ENDS, "\\s?\\p{L}+", "\\s?\\p{P}+", DEEPSEEK_CJK, "\\p{N}"), "deepseek-coder");
    add(
        List.of(
            LINE_ENDS,
            DEEPSEEK_LETTERS,
            DEEPSEEK_PUNCTUATION,
            SPACES_AT_END,
            DEEPSEEK_CJK,
            "\\p{N}"),
        "deepseek-llm");
    add(
        List.of(
            "\\p{N}{1,3}",
            "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
            "[!-/:-@\\[-`{-~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                + "| ?[\\p{P}\\p{S}]+[\\r\\n]*"
                + LINES_AND_SPACES),
        "deepseek-v3");
    add(List.of("[\\p{P}$+<=>^~|`]+", GPT_2, "[0-9][0-9][0-9]"), "falcon");
    add(List.of("[\\p{P}$+<=>^~|]+", GPT_2, "\\p{N}+", "[0-9][0-9][0-9]"), "default");
    add(List.of(GPT_4O), "gpt-4o", "llama4", "kanana2");
    add(new PreTokenizerRules(List.of(TEKKEN), true, true), "tekken");
  }

  /** The rules of this name, if it is known. */
  static Optional<PreTokenizerRules> named(String name) {
    return Optional.ofNullable(BY_NAME.get(name));
  }

  /** All names, for messages. */
  static Collection<String> names() {
    return BY_NAME.keySet();
  }

  private static void add(List<String> patterns, String... names) {
    add(new PreTokenizerRules(patterns, false, false), names);
  }

  private static void add(PreTokenizerRules rules, String... names) {
    for (String name : names) {
      BY_NAME.put(name, rules);
    }
  }
}
