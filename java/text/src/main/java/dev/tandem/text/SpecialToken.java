package dev.tandem.text;

import java.util.List;

/**
 * The parts that special tokens play, each with the metadata key that names the token, and the
 * texts by which it is known in files that lack the key.
 */
public enum SpecialToken {
  /** Begins a text. */
  BOS("bos_token_id"),
  /** Ends a text. */
  EOS("eos_token_id"),
  /** Ends a turn of a conversation. */
  EOT(
      "eot_token_id",
      "<|eot_id|>",
      "<|im_end|>",
      "<|end|>",
      "<end_of_turn>",
      "<|endoftext|>",
      "<|end_of_text|>",
      "<EOT>",
      "_<EOT>",
      "[EOT]",
      "<\uFF5Cend\u2581of\u2581sentence\uFF5C>",
      "<end_of_utterance>"),
  /** Ends a message to a tool. */
  EOM("eom_token_id", "<|eom_id|>"),
  /** Stands for text without a token. */
  UNKNOWN("unknown_token_id"),
  /** Separates two texts. */
  SEPARATOR("seperator_token_id"), // so spelt in the format
  /** Fills up a batch. */
  PADDING("padding_token_id"),
  /** Hides a token in training. */
  MASK("mask_token_id"),
  /** Fill-in-the-middle: what comes before. */
  FIM_PREFIX(
      "fim_pre_token_id",
      "<|fim_prefix|>",
      "<fim-prefix>",
      "<fim_prefix>",
      "<\uFF5Cfim\u2581begin\uFF5C>",
      "<PRE>",
      "\u2581<PRE>",
      "<|code_prefix|>",
      "<|prefix|>"),
  /** Fill-in-the-middle: what comes after. */
  FIM_SUFFIX(
      "fim_suf_token_id",
      "<|fim_suffix|>",
      "<fim-suffix>",
      "<fim_suffix>",
      "<\uFF5Cfim\u2581hole\uFF5C>",
      "<SUF>",
      "\u2581<SUF>",
      "<|code_suffix|>",
      "<|suffix|>"),
  /** Fill-in-the-middle: what is to be written. */
  FIM_MIDDLE(
      "fim_mid_token_id",
      "<|fim_middle|>",
      "<fim-middle>",
      "<fim_middle>",
      "<\uFF5Cfim\u2581end\uFF5C>",
      "<MID>",
      "\u2581<MID>",
      "<|code_middle|>",
      "<|middle|>"),
  /** Fill-in-the-middle: padding. */
  FIM_PAD("fim_pad_token_id", "<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
  /** Fill-in-the-middle: the name of a repository. */
  FIM_REPOSITORY(
      "fim_rep_token_id", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
  /** Fill-in-the-middle: between two files. */
  FIM_SEPARATOR("fim_sep_token_id", "<|file_sep|>");

  private final String key;
  private final List<String> texts;

  SpecialToken(String key, String... texts) {
    this.key = "tokenizer.ggml." + key;
    this.texts = List.of(texts);
  }

  /** The metadata key. */
  String key() {
    return key;
  }

  /** The texts that mean this part, the first found wins. */
  List<String> texts() {
    return texts;
  }
}
