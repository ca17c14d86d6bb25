package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static dev.tandem.cli.Tandem.utf8;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.model.TestData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** {@code tandem template}; the built-in model has no template of its own. */
class TemplateTest {

  private static final byte[] HI = utf8("[{\"role\":\"user\",\"content\":\"Hi \\u00e9\\n\"}]");
  private static final String MARKS =
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}\n"
          + "{% if add_generation_prompt %}<|assistant|>{% endif %}"
          + "{% if enable_thinking %}<think>{% endif %}\n";

  @TempDir Path folder;

  private String template(String source) throws IOException {
    return Files.writeString(folder.resolve("mine.jinja"), source).toString();
  }

  @Test
  void printsExactlyThePrompt() throws IOException {
    String mine = template(MARKS);
    Tandem.Result result = ok(HI, "template", "--chat-template", mine);
    assertArrayEquals(utf8("<|user|>Hi \u00e9\n<|assistant|><think>"), result.bytes());
    assertEquals("", result.err());
    assertEquals(
        "<|user|>Hi \u00e9\n<think>",
        ok(HI, "template", "--chat-template", mine, "--no-generation-prompt").out());
    assertEquals(
        "<|user|>Hi \u00e9\n<|assistant|>",
        ok(HI, "template", "--chat-template", mine, "--no-thinking").out());
  }

  @Test
  void messagesComeFromAFileToo() throws IOException {
    Path file = Files.write(folder.resolve("messages.json"), HI);
    assertEquals(
        "Hi \u00e9\n!",
        ok(
                "template",
                "-f",
                file.toString(),
                "--chat-template",
                template("{{ messages[0].content }}!"))
            .out());
  }

  @Test
  void theModelsTokensAndTodayAreKnown() throws IOException {
    String today =
        DateTimeFormatter.ofPattern("dd MMM yyyy", Locale.ENGLISH).format(LocalDate.now());
    String mine = template("{{ bos_token }} {{ date_string }} {{ strftime_now('%d %b %Y') }}");
    assertEquals(
        "<|begin_story|> " + today + " " + today,
        ok(HI, "template", "--chat-template", mine).out());
  }

  @Test
  void withoutTemplateContentsAreJoinedAndThatIsTold() {
    byte[] messages =
        utf8("[{\"role\":\"system\",\"content\":\"a\"},{\"content\":\"b\",\"role\":\"user\"}]");
    Tandem.Result result = ok(messages, "template");
    assertEquals("a\nb", result.out());
    assertTrue(
        result.err().matches("tandem: .*stories.gguf has no chat template: [^\n]+\n"),
        result.err());
  }

  @Test
  void promptsOfSmolLm2AreExact() throws IOException {
    Path answers = TestData.path("models/smollm2/answers.json");
    String model = TestData.path("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf").toString();
    ObjectMapper json = new ObjectMapper();
    for (JsonNode answer : json.readTree(answers.toFile())) {
      if (!answer.get("messages").isNull()) {
        byte[] messages = json.writeValueAsBytes(answer.get("messages"));
        Tandem.Result result = ok(messages, "template", "-m", model);
        assertEquals(answer.get("prompt").asText(), result.out());
        assertEquals("", result.err());
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "{}; line 1, column 1: a list of messages is expected: [{\"role\": \"user\", \"content\":"
            + " \"Hi\"}]",
        "'Hi'; line 1, column 1: Unexpected character",
        "[]; line 1, column 2: there is no message in the list",
        "[1]; line 1, column 2: message 1 must be an object with a role and a content",
        "[{\"role\":\"user\"}]; line 1, column 16: message 1 has no content",
        "[{\"content\":\"x\"}]; line 1, column 16: message 1 has no role",
        "[{\"role\":\" \",\"content\":\"x\"}]; line 1, column 27: message 1 has no role",
        "[{\"role\":\"user\",\"content\":null}]; line 1, column 27: message 1: the content must be"
            + " a text",
        "[{\"role\":1}]; line 1, column 10: message 1: the role must be a text",
        "[{\"role\":\"a\",\"tool_calls\":[]}]; line 1, column 14: message 1: the field 'tool_calls'"
            + " is not supported; supported: role, content",
        "[{\"role\":\"a\",\"role\":\"b\"}]; line 1, column 20: Duplicate field 'role'",
        "[{\"role\":\"a\",\"content\":\"b\"}] x; line 1, column 30: Unrecognized token 'x'",
        "[{\"role\":\"a\",\"content\":\"b\"}] []; line 1, column 30: nothing is expected behind the"
            + " list",
        "[{\"role\":\"a\"; line 1, column 13: Unexpected end-of-input",
        "` `; there is nothing: a list of messages is expected"
      })
  void messagesThatAreNoneAreToldWithTheirPlace(String input, String problem) {
    Tandem.Result result = run(utf8(input), "template");
    assertEquals(1, result.code());
    assertEquals("", result.out());
    assertTrue(result.err().startsWith("tandem: standard input: " + problem), () -> result.err());
  }

  @Test
  void errorsOfTemplatesNameTheFile() throws IOException {
    String mine = template("{{ messages[0].content }}\n{{ 1 + 'a' }}");
    Tandem.Result result = run(HI, "template", "--chat-template", mine);
    assertEquals(1, result.code());
    assertEquals("", result.out(), "nothing of a prompt that fails");
    assertEquals(
        "tandem: "
            + mine
            + ": chat template, line 2, {{ 1 + 'a' }}: '+' cannot be used with a number and a"
            + " text\n",
        result.err());
    String none = folder.resolve("none.jinja").toString();
    Tandem.Result missing = run(HI, "template", "--chat-template", none);
    assertEquals("tandem: " + none + ": no such file\n", missing.err());
  }
}
