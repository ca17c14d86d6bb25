package dev.tandem.text.chat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.text.TestData;
import dev.tandem.text.TextSpan;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** The templates of real models, which are not part of the project, and what all tests share. */
final class Templates {
  static final String BOS = "<|begin|>";
  static final String EOS = "<|end|>";
  static final ChatOptions OPTIONS = ChatOptions.at(LocalDateTime.of(2026, 11, 21, 12, 30, 5));

  private static final ObjectMapper JSON = new ObjectMapper();

  private Templates() {}

  /** Their names; skips the test where they are absent. */
  static List<String> names() {
    try (Stream<Path> files = Files.list(TestData.file("templates"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".jinja"))
          .map(name -> name.substring(0, name.length() - ".jinja".length()))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static String source(String name) {
    try {
      return Files.readString(TestData.file("templates/" + name + ".jinja"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static ChatTemplate named(String name) {
    return of(source(name));
  }

  static ChatTemplate of(String source) {
    return ChatTemplate.of(source, BOS, EOS);
  }

  static JsonNode expected() {
    return json(TestData.file("templates/expected.json"));
  }

  static JsonNode json(Path file) {
    try {
      return JSON.readTree(file.toFile());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A file beside the tests. */
  static String resource(String name) {
    try (InputStream in = Templates.class.getResourceAsStream(name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static JsonNode jsonResource(String name) {
    try {
      return JSON.readTree(resource(name));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The names of the templates that are part of the project. */
  static List<String> ownNames() {
    return List.of("headers", "instructions", "layout", "marks", "reasons", "strict");
  }

  /** Those of the project, and where there are any, those of real models. */
  static Stream<Arguments> everyTemplate() {
    Stream<Arguments> own =
        ownNames().stream().map(name -> Arguments.of(name, resource(name + ".jinja")));
    Stream<Arguments> real =
        TestData.find("templates").isPresent()
            ? names().stream().map(name -> Arguments.of(name, source(name)))
            : Stream.of();
    return Stream.concat(own, real);
  }

  static List<ChatMessage> messages(JsonNode list) {
    List<ChatMessage> messages = new ArrayList<>();
    list.forEach(message ->
        messages.add(
            new ChatMessage(message.get("role").asText(), message.get("content").asText())));
    return messages;
  }

  /** The whole prompt. */
  static String text(List<TextSpan> spans) {
    return spans.stream().map(TextSpan::text).collect(Collectors.joining());
  }

  /** What one template prints for a conversation with one message. */
  static String printed(String source) {
    return text(of(source).render(List.of(ChatMessage.user("Hi there")), OPTIONS));
  }
}
