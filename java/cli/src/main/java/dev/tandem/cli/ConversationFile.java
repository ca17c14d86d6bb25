package dev.tandem.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import dev.tandem.text.chat.ChatMessage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Conversations as a JSON list of messages: {@code [{"role": "user", "content": "Hi"}]}. */
final class ConversationFile {

  private static final JsonFactory JSON =
      new JsonFactoryBuilder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  private final String name;
  private final JsonParser parser;

  private ConversationFile(String name, JsonParser parser) {
    this.name = name;
    this.parser = parser;
  }

  /**
   * The messages in a file, or on standard input if none is named.
   *
   * @throws Failure if they are not what they should be; it says where
   */
  static List<ChatMessage> read(TextInput input, Optional<Path> file) {
    String name = TextInput.name(file);
    try (JsonParser parser = JSON.createParser(input.text(file))) {
      return new ConversationFile(name, parser).messages();
    } catch (JsonProcessingException e) {
      throw new Failure(
          "%s: %s: %s".formatted(name, place(e.getLocation()), e.getOriginalMessage()));
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
  }

  /**
   * Writes messages over what a file held.
   *
   * @throws Failure if that is not possible
   */
  static void write(Path file, List<ChatMessage> messages) {
    List<Map<String, String>> list = new ArrayList<>();
    for (ChatMessage message : messages) {
      Map<String, String> fields = new LinkedHashMap<>();
      fields.put("role", message.role());
      fields.put("content", message.content());
      list.add(fields);
    }
    try {
      Files.write(file, Json.text(list).getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw Failure.of(file, e);
    }
  }

  private static String place(JsonLocation location) {
    return "line %d, column %d".formatted(location.getLineNr(), location.getColumnNr());
  }

  private Failure problem(String problem) {
    return new Failure("%s: %s: %s".formatted(name, place(parser.currentTokenLocation()), problem));
  }

  private List<ChatMessage> messages() throws IOException {
    String expected = "a list of messages is expected: [{\"role\": \"user\", \"content\": \"Hi\"}]";
    if (parser.nextToken() == null) {
      throw new Failure(name + ": there is nothing: " + expected);
    }
    if (parser.currentToken() != JsonToken.START_ARRAY) {
      throw problem(expected);
    }
    List<ChatMessage> messages = new ArrayList<>();
    while (parser.nextToken() != JsonToken.END_ARRAY) {
      messages.add(message("message " + (messages.size() + 1)));
    }
    if (messages.isEmpty()) {
      throw problem("there is no message in the list");
    }
    if (parser.nextToken() != null) {
      throw problem("nothing is expected behind the list");
    }
    return messages;
  }

  private ChatMessage message(String shown) throws IOException {
    if (parser.currentToken() != JsonToken.START_OBJECT) {
      throw problem(shown + " must be an object with a role and a content");
    }
    Optional<String> role = Optional.empty();
    Optional<String> content = Optional.empty();
    while (parser.nextToken() != JsonToken.END_OBJECT) {
      String field = parser.currentName();
      switch (field) {
        case "role" -> role = Optional.of(text(shown, field));
        case "content" -> content = Optional.of(text(shown, field));
        default ->
            throw problem(
                "%s: the field '%s' is not supported; supported: role, content"
                    .formatted(shown, Printable.line(field, 40)));
      }
    }
    if (role.filter(text -> !text.isBlank()).isEmpty() || content.isEmpty()) {
      throw problem(
          shown + " has no " + (content.isEmpty() && role.isPresent() ? "content" : "role"));
    }
    return new ChatMessage(role.get(), content.get());
  }

  private String text(String shown, String field) throws IOException {
    if (parser.nextToken() != JsonToken.VALUE_STRING) {
      throw problem("%s: the %s must be a text".formatted(shown, field));
    }
    return parser.getText();
  }
}
