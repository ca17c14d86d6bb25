package dev.tandem.text;

import static org.junit.jupiter.api.Assumptions.abort;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.StringTable;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Hugging Face's tokenizers (Rust, through DJL), fed with the {@code tokenizer.json} that the
 * metadata amounts to.
 *
 * <p>Left alone, DJL asks a metadata service of clouds for its telemetry, may download another
 * native library, unpacks into the home folder and cuts texts at 512 tokens. All of that is off
 * here.
 */
final class DjlTokenizer implements AutoCloseable {
  private final HuggingFaceTokenizer tokenizer;

  private DjlTokenizer(HuggingFaceTokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  /** The tokenizer of this metadata; skips the test where DJL cannot run. */
  static DjlTokenizer of(GgufMetadata metadata) {
    String cache = Path.of("target", "djl").toAbsolutePath().toString();
    Map.of(
            "OPT_OUT_TRACKING", "true",
            "RUST_FLAVOR", "cpu",
            "ai.djl.offline", "true",
            "DJL_CACHE_DIR", cache,
            "ENGINE_CACHE_DIR", cache)
        .forEach(System::setProperty);
    byte[] json = json(metadata).getBytes(StandardCharsets.UTF_8);
    Map<String, String> options =
        Map.of("addSpecialTokens", "false", "truncation", "false", "padding", "false");
    try {
      return new DjlTokenizer(
          HuggingFaceTokenizer.newInstance(new ByteArrayInputStream(json), options));
    } catch (IOException | RuntimeException | LinkageError e) {
      return abort("skipped: DJL's tokenizers do not run on this machine: " + e);
    }
  }

  int[] encode(String text) {
    return Arrays.stream(tokenizer.encode(text, false, false).getIds())
        .mapToInt(Math::toIntExact)
        .toArray();
  }

  @Override
  public void close() {
    tokenizer.close();
  }

  /** The tokenizer in Hugging Face's format. */
  static String json(GgufMetadata metadata) {
    boolean gemma4 = metadata.string("tokenizer.ggml.model").equals("gemma4");
    PreTokenizerRules rules =
        gemma4
            ? new PreTokenizerRules(List.of("[^\\n]+|\\n+"), false, false)
            : PreTokenizerRules.named(metadata.string("tokenizer.ggml.pre")).orElseThrow();
    StringTable tokens = metadata.strings("tokenizer.ggml.tokens");
    int[] types = metadata.integers("tokenizer.ggml.token_type");
    String added =
        ids(types, TokenType.USER_DEFINED)
            .mapToObj(id -> addedToken(id, tokens.string(id)))
            .collect(Collectors.joining(","));
    String vocabulary =
        IntStream.range(0, types.length)
            .mapToObj(id -> quoted(tokens.string(id)) + ":" + id)
            .collect(Collectors.joining(","));
    String merges =
        IntStream.range(0, metadata.strings("tokenizer.ggml.merges").size())
            .mapToObj(i -> merge(metadata.strings("tokenizer.ggml.merges").string(i)))
            .collect(Collectors.joining(","));
    String normalizer =
        gemma4
            ? """
            {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}\
            """
            : "null";
    return """
    {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [%s],
     "normalizer": %s, "pre_tokenizer": %s, "post_processor": null, "decoder": null,
     "model": {"type": "BPE", "dropout": null, "unk_token": null,
       "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false,
       "byte_fallback": %s, "ignore_merges": %s, "vocab": {%s}, "merges": [%s]}}
    """
        .formatted(
            added,
            normalizer,
            preTokenizer(rules.patterns(), !gemma4),
            gemma4,
            rules.wholeWords(),
            vocabulary,
            merges);
  }

  private static IntStream ids(int[] types, TokenType type) {
    return IntStream.range(0, types.length).filter(id -> types[id] == type.ordinal());
  }

  private static String addedToken(int id, String text) {
    return """
    {"id": %d, "content": %s, "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": false}\
    """
        .formatted(id, quoted(text));
  }

  private static String merge(String merge) {
    int space = merge.indexOf(' ', 1);
    return "[" + quoted(merge.substring(0, space)) + "," + quoted(merge.substring(space + 1)) + "]";
  }

  private static String preTokenizer(List<String> patterns, boolean byteLevel) {
    String splits =
        patterns.stream()
            .map(pattern ->
                """
                {"type": "Split", "pattern": {"Regex": %s}, "behavior": "Isolated",
                 "invert": false}\
                """
                    .formatted(quoted(pattern)))
            .collect(Collectors.joining(","));
    String bytes =
        """
        ,{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
          "use_regex": false}\
        """;
    return """
    {"type": "Sequence", "pretokenizers": [%s%s]}\
    """
        .formatted(splits, byteLevel ? bytes : "");
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c < ' ' || c == '"' || c == '\\') {
        quoted.append(String.format("\\u%04x", (int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append('"').toString();
  }
}
