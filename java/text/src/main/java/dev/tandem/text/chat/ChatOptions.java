package dev.tandem.text.chat;

import java.time.Clock;
import java.time.LocalDateTime;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * What a template is told beside the messages.
 *
 * @param addGenerationPrompt whether the prompt ends where the assistant's answer begins
 * @param enableThinking whether a model that can reason before it answers should
 * @param now what a template that asks takes for the present
 * @param variables more variables, for what a certain template knows: texts, numbers, booleans,
 *     lists and maps. A text in them is as little trusted as a message's.
 */
public record ChatOptions(
    boolean addGenerationPrompt,
    boolean enableThinking,
    LocalDateTime now,
    Map<String, Object> variables) {
  private static final int DEEPEST = 32;

  /** Rejects variables that are something else, and copies them. */
  public ChatOptions {
    Objects.requireNonNull(now, "now");
    Map<String, Object> copies = new LinkedHashMap<>();
    variables.forEach((name, value) -> copies.put(name, copy(name, value, 0)));
    variables = Collections.unmodifiableMap(copies);
  }

  /** The usual: an answer is wanted, reasoning is welcome, no more variables. */
  public static ChatOptions at(LocalDateTime now) {
    return new ChatOptions(true, true, now, Map.of());
  }

  /** The usual, at the time of a clock. */
  public static ChatOptions at(Clock clock) {
    return at(LocalDateTime.now(clock));
  }

  /** These options, with or without the beginning of an answer. */
  public ChatOptions withGenerationPrompt(boolean add) {
    return new ChatOptions(add, enableThinking, now, variables);
  }

  /** These options, with or without reasoning. */
  public ChatOptions withThinking(boolean enable) {
    return new ChatOptions(addGenerationPrompt, enable, now, variables);
  }

  /** These options and one more variable. */
  public ChatOptions with(String name, Object value) {
    Map<String, Object> more = new LinkedHashMap<>(variables);
    more.put(name, value);
    return new ChatOptions(addGenerationPrompt, enableThinking, now, more);
  }

  private static Object copy(String name, Object value, int depth) {
    if (depth > DEEPEST) {
      throw new IllegalArgumentException(
          "the variable " + name + " is nested more than " + DEEPEST + " deep");
    }
    return switch (value) {
      case String text -> text;
      case Boolean flag -> flag;
      case Integer number -> number.longValue();
      case Long number -> number;
      case Float number -> number.doubleValue();
      case Double number -> number;
      case List<?> list -> list.stream().map(element -> copy(name, element, depth + 1)).toList();
      case Map<?, ?> map -> {
        Map<String, Object> entries = new LinkedHashMap<>();
        map.forEach(
            (key, element) -> entries.put(Objects.toString(key), copy(name, element, depth + 1)));
        yield Collections.unmodifiableMap(entries);
      }
      case null, default ->
          throw new IllegalArgumentException(
              "the variable "
                  + name
                  + " holds "
                  + (value == null ? "null" : "a " + value.getClass().getName())
                  + "; it may hold texts, numbers, booleans, lists and maps");
    };
  }
}
