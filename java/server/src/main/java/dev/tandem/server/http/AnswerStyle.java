package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

/** What differs between the answers of chat completions and of completions. */
enum AnswerStyle {
  CHAT("chatcmpl-", "chat.completion", "chat.completion.chunk") {
    @Override
    ObjectNode text(String text) {
      return Json.object()
          .set("message", Json.object().put("role", "assistant").put("content", text));
    }

    @Override
    ObjectNode noMoreText() {
      return Json.object().set("delta", Json.object());
    }

    @Override
    JsonNode likely(LikelyTokens tokens) {
      return tokens.forChat();
    }

    @Override
    String beforePiece() {
      return "\"delta\":{\"content\":";
    }

    @Override
    String afterPiece() {
      return "}";
    }
  },

  TEXT("cmpl-", "text_completion", "text_completion") {
    @Override
    ObjectNode text(String text) {
      return Json.object().put("text", text);
    }

    @Override
    ObjectNode noMoreText() {
      return Json.object().put("text", "");
    }

    @Override
    JsonNode likely(LikelyTokens tokens) {
      return tokens.forText();
    }

    @Override
    String beforePiece() {
      return "\"text\":";
    }

    @Override
    String afterPiece() {
      return "";
    }
  };

  private final String idPrefix;
  private final String object;
  private final String chunk;

  AnswerStyle(String idPrefix, String object, String chunk) {
    this.idPrefix = idPrefix;
    this.object = object;
    this.chunk = chunk;
  }

  /** The name of an answer to a request. */
  String answerId(String requestId) {
    return idPrefix + requestId;
  }

  /** What a whole answer calls itself. */
  String object() {
    return object;
  }

  /** What a part of an answer calls itself. */
  String chunk() {
    return chunk;
  }

  /** The fields of a choice that say its whole text. */
  abstract ObjectNode text(String text);

  /** Those of a choice's last part. */
  abstract ObjectNode noMoreText();

  /** How likely tokens were, as this kind of answer tells it. */
  abstract JsonNode likely(LikelyTokens tokens);

  /** What stands in a choice's part before the text, which is a JSON string. */
  abstract String beforePiece();

  /** What stands behind it. */
  abstract String afterPiece();
}
