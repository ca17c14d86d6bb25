package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.text.TextSpan;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import dev.tandem.text.chat.ChatTemplate;
import dev.tandem.text.chat.ChatTemplateException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads the conversation of a request, and makes a prompt of it. */
final class ChatPrompt {

  private static final String TOOLS = "this server calls no tools";

  private ChatPrompt() {}

  /** The prompt that the model's template makes of a request's messages. */
  static List<TextSpan> render(Fields fields, ChatTemplate template) {
    List<ChatMessage> messages = messages(fields);
    ChatOptions options = options(fields);
    try {
      return template.render(messages, options);
    } catch (ChatTemplateException e) {
      throw HttpFailure.invalid(
          "messages",
          "the model's chat template does not take this conversation: " + e.getMessage());
    }
  }

  private static List<ChatMessage> messages(Fields fields) {
    List<ChatMessage> messages = new ArrayList<>();
    for (Fields message : fields.objects("messages")) {
      message.refuse("tool_calls", TOOLS);
      message.refuse("function_call", TOOLS);
      message.refuse("audio", "this model hears and speaks nothing");
      String role = role(message);
      messages.add(new ChatMessage(role, content(message, role)));
    }
    if (messages.isEmpty()) {
      throw HttpFailure.invalid("messages", "messages is missing: at least one is needed");
    }
    return messages;
  }

  private static String role(Fields message) {
    String role =
        message
            .string("role")
            .orElseThrow(() ->
                HttpFailure.invalid(message.name("role"), message.name("role") + " is missing"));
    return switch (role) {
      case "system", "user", "assistant" -> role;
      case "developer" -> "system"; // the newer name, which few templates know
      case "tool", "function" -> throw HttpFailure.unsupported(message.name("role"), TOOLS);
      default ->
          throw HttpFailure.invalid(
              message.name("role"),
              message.name("role") + " must be system, developer, user or assistant");
    };
  }

  private static String content(Fields message, String role) {
    Optional<JsonNode> content = message.find("content");
    if (content.isPresent() && content.get().isArray()) {
      List<String> parts = new ArrayList<>();
      message.objects("content").forEach(part -> parts.add(text(part)));
      return String.join("\n", parts);
    }
    Optional<String> text = message.string("content");
    if (text.isEmpty() && !role.equals("assistant")) {
      throw HttpFailure.invalid(message.name("content"), message.name("content") + " is missing");
    }
    return text.orElse("");
  }

  private static String text(Fields part) {
    String type = part.string("type").orElse("");
    if (!type.equals("text")) {
      throw HttpFailure.unsupported(
          part.name("type"), part.name("type") + " must be text: this model reads nothing else");
    }
    return part.string("text")
        .orElseThrow(
            () -> HttpFailure.invalid(part.name("text"), part.name("text") + " is missing"));
  }

  private static ChatOptions options(Fields fields) {
    ChatOptions usual = ChatOptions.at(LocalDateTime.now());
    Optional<Fields> given = fields.object("chat_template_kwargs");
    if (given.isEmpty()) {
      return usual;
    }
    Map<String, Object> variables = new LinkedHashMap<>();
    for (Map.Entry<String, JsonNode> variable : given.get().entries()) {
      if (!variable.getValue().isValueNode()) {
        throw HttpFailure.invalid(
            "chat_template_kwargs",
            "a variable of the template must be a text, a number, or true or false");
      }
      if (!variable.getKey().equals("enable_thinking") && !variable.getValue().isNull()) {
        variables.put(variable.getKey(), value(variable.getValue()));
      }
    }
    return new ChatOptions(
        usual.addGenerationPrompt(),
        given.get().flag("enable_thinking").orElse(usual.enableThinking()),
        usual.now(),
        variables);
  }

  private static Object value(JsonNode value) {
    if (value.isBoolean()) {
      return value.booleanValue();
    }
    if (value.isIntegralNumber() && value.canConvertToLong()) {
      return value.longValue();
    }
    return value.isNumber() ? (Object) value.doubleValue() : value.textValue();
  }
}
