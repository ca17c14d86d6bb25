package dev.tandem.text.chat;

import dev.tandem.text.MetadataBuilder;
import dev.tandem.text.SlowReference;
import dev.tandem.text.TextSpan;
import dev.tandem.text.TokenType;
import dev.tandem.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** For tests of marking: a vocabulary for a template, and messages that attack it. */
final class MarkedPrompts {
  private static final Pattern MARKS =
      Pattern.compile(
          "<[|\uFF5C][^<>\\n]{1,40}>|<[^<>|\\s]{1,30}[|\uFF5C]>|</?[A-Za-z_][\\w:]{0,30}>"
              + "|\\[/?[A-Z_]{2,20}\\]");

  /** Names that any vocabulary here has: of tokens, and some to make life hard. */
  private static final List<String> COMMON =
      List.of(
          "<|begin|>",
          "<|end|>",
          "<|im_start|>",
          "<|im_end|>",
          "<|eot_id|>",
          "<s>",
          "</s>",
          "[INST]",
          "[/INST]",
          "<start_of_turn>",
          "<end_of_turn>",
          "\u00A7",
          "SPECIAL",
          "a b",
          "\uE000");

  private MarkedPrompts() {}

  /** The names of special tokens that a template may mean, and some more. */
  static List<String> marks(String source) {
    Set<String> marks = new LinkedHashSet<>(COMMON);
    MARKS.matcher(source).results().map(MatchResult::group).limit(200).forEach(marks::add);
    return List.copyOf(marks);
  }

  /** Every byte is a token, and every mark a control token. */
  static Tokenizer tokenizer(List<String> marks) {
    List<String> tokens = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      tokens.add(SlowReference.letter(b));
    }
    tokens.addAll(marks);
    int[] types = new int[tokens.size()];
    Arrays.fill(types, TokenType.NORMAL.ordinal());
    Arrays.fill(types, 256, types.length, TokenType.CONTROL.ordinal());
    return new MetadataBuilder()
        .set("model", "gpt2")
        .set("pre", "gpt-2")
        .set("tokens", tokens)
        .set("token_type", types)
        .set("merges", Collections.emptyList())
        .tokenizer();
  }

  /** How many special tokens a prompt has. */
  static long special(Tokenizer tokenizer, List<TextSpan> prompt) {
    return Arrays.stream(tokenizer.encode(prompt))
        .filter(id -> tokenizer.vocabulary().type(id) == TokenType.CONTROL)
        .count();
  }

  /** A prompt as the template would print it if nothing were marked. */
  static String unmarked(String source, List<ChatMessage> messages) {
    return TemplateReader.read(source, Limits.DEFAULT)
        .render(
            1 << 20,
            List.of(Templates.BOS, Templates.EOS),
            Templates.OPTIONS.now(),
            (scope, alphabet) -> {
              List<Object> dicts = new ArrayList<>();
              for (ChatMessage message : messages) {
                Dict dict = new Dict();
                dict.put("role", message.role());
                dict.put("content", message.content());
                dicts.add(dict);
              }
              scope.put("messages", dicts);
              scope.put("bos_token", Templates.BOS);
              scope.put("eos_token", Templates.EOS);
              scope.put("add_generation_prompt", true);
              scope.put("enable_thinking", true);
              scope.put("drop_thinking", false);
              scope.put("functions", "");
              scope.put("date_string", "21 Nov 2026");
              scope.put("datetime", "Nov 21 2026");
            })
        .stream()
        .map(TextSpan::text)
        .collect(Collectors.joining());
  }

  /** Contents made of marks, halves of marks, and what may stand between them. */
  static final class Attacker {
    private static final List<String> FILLINGS =
        List.of(
            "",
            " ",
            "\n",
            "  ",
            "x",
            "system",
            "Hello",
            "\u00E9",
            "\uD83E\uDD99",
            "\uF8FF",
            "|",
            ">",
            "<",
            "<|",
            "|>",
            "false",
            "\t",
            "\u00A0",
            "\\",
            "\"",
            "{{ 1 }}",
            "{% if %}",
            "%s",
            "{}");

    private final Random random;
    private final List<String> marks;

    Attacker(long seed, List<String> marks) {
      random = new Random(seed);
      this.marks = marks;
    }

    /** From one to six messages; a system message comes first, if at all, and users take turns. */
    List<ChatMessage> conversation() {
      List<ChatMessage> messages = new ArrayList<>();
      if (random.nextInt(3) == 0) {
        messages.add(ChatMessage.system(content()));
      }
      for (int i = random.nextInt(3) * 2; i >= 0; i--) {
        messages.add(i % 2 == 0 ? ChatMessage.user(content()) : ChatMessage.assistant(content()));
      }
      return messages;
    }

    private String content() {
      StringBuilder content = new StringBuilder();
      for (int i = random.nextInt(7); i > 0; i--) {
        String mark = marks.get(random.nextInt(marks.size()));
        int cut = random.nextInt(mark.length() + 1);
        switch (random.nextInt(6)) {
          case 0, 1 -> content.append(mark);
          case 2 -> content.append(mark, 0, cut);
          case 3 -> content.append(mark, cut, mark.length());
          case 4 -> content.append(mark, 0, cut).append(mark).append(mark, cut, mark.length());
          default -> content.append(FILLINGS.get(random.nextInt(FILLINGS.size())));
        }
      }
      return content.toString();
    }

    /** A conversation of the same shape that says nothing. */
    static List<ChatMessage> harmless(List<ChatMessage> messages) {
      return messages.stream()
          .map(message ->
              new ChatMessage(
                  message.role(),
                  message
                      .content()
                      .codePoints()
                      .map(c -> MarkedText.isSpace(c) ? c : 'x')
                      .collect(
                          StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                      .toString()))
          .toList();
    }
  }
}
