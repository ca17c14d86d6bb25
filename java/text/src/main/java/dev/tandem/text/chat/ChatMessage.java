package dev.tandem.text.chat;

import java.util.Objects;

/**
 * One message of a conversation.
 *
 * @param role who speaks: {@code system}, {@code user}, {@code assistant}, or what else a model's
 *     template knows
 * @param content the text; whatever it says, it never becomes a special token
 */
public record ChatMessage(String role, String content) {
  /** Rejects null, and a role without a name. */
  public ChatMessage {
    Objects.requireNonNull(content, "content");
    if (role.isBlank()) {
      throw new IllegalArgumentException("the role of a message is blank");
    }
  }

  /** What the model should be like. */
  public static ChatMessage system(String content) {
    return new ChatMessage("system", content);
  }

  /** What a person says. */
  public static ChatMessage user(String content) {
    return new ChatMessage("user", content);
  }

  /** What the model said. */
  public static ChatMessage assistant(String content) {
    return new ChatMessage("assistant", content);
  }
}
