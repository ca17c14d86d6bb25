package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.GgufType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.StringTable;
import dev.tandem.text.SpecialToken;
import dev.tandem.text.TestData;
import dev.tandem.text.TextSpan;
import dev.tandem.text.Tokenizer;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Where templates come from, what they are told, and what is said when they fail. */
class ChatTemplateTest {
  private static final List<ChatMessage> HI = List.of(ChatMessage.user("Hi"));

  private static GgufMetadata metadata(Map<String, String> templates) {
    Map<String, GgufValue> values = new LinkedHashMap<>();
    values.put(
        "tokenizer.ggml.tokens",
        new GgufValue.TextArray(StringTable.of(List.of("<s>", "</s>", "a"))));
    values.put("tokenizer.ggml.bos_token_id", new GgufValue.IntValue(GgufType.UINT32, 0));
    values.put("tokenizer.ggml.eos_token_id", new GgufValue.IntValue(GgufType.UINT32, 1));
    templates.forEach((key, value) ->
        values.put("tokenizer.chat_template" + key, new GgufValue.TextValue(value)));
    return new GgufMetadata(Path.of("made-up.gguf"), values);
  }

  private static String rendered(Optional<ChatTemplate> template) {
    return Templates.text(template.orElseThrow().render(HI, Templates.OPTIONS));
  }

  // ---- where it comes from ----

  @Test
  void comesFromTheModelWithItsTokens() {
    String source = "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}";
    assertEquals("<s>Hi</s>", rendered(ChatTemplate.of(metadata(Map.of("", source)))));
  }

  @Test
  void ofSeveralTheDefaultIsUsed() {
    Map<String, String> several = Map.of("", "default", ".tool_use", "tools", ".rag", "rag");
    assertEquals("default", rendered(ChatTemplate.of(metadata(several))));
    Map<String, String> named = Map.of(".default", "named", ".tool_use", "tools");
    assertEquals("named", rendered(ChatTemplate.of(metadata(named))));
    assertTrue(ChatTemplate.of(metadata(Map.of(".tool_use", "tools"))).isEmpty());
  }

  @Test
  void aModelWithoutOneHasNone() {
    assertTrue(ChatTemplate.of(metadata(Map.of())).isEmpty());
    assertTrue(ChatTemplate.of(metadata(Map.of("", " \n"))).isEmpty());
  }

  @Test
  void anotherOneTakesTheModelsTokens() {
    ChatTemplate other = ChatTemplate.of("{{ bos_token }}!", metadata(Map.of("", "own")));
    assertEquals("<s>!", rendered(Optional.of(other)));
    GgufMetadata bare = new GgufMetadata(Path.of("x"), Map.of());
    assertEquals("!", rendered(Optional.of(ChatTemplate.of("{{ bos_token }}!", bare))));
  }

  @Test
  void withoutTemplateContentsAreJoined() {
    ChatTemplate plain = ChatTemplate.plain();
    assertTrue(plain.isBaseModel());
    assertFalse(Templates.of("x").isBaseModel());
    List<ChatMessage> messages =
        List.of(
            ChatMessage.system("You are <s>."),
            ChatMessage.user("Hi\n"),
            ChatMessage.assistant(""),
            ChatMessage.user("Bye"));
    List<TextSpan> prompt = plain.render(messages, Templates.OPTIONS);
    assertEquals("You are <s>.\nHi\n\n\nBye", Templates.text(prompt));
    assertTrue(prompt.stream().noneMatch(TextSpan::parseSpecial));
  }

  // ---- what it is told ----

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "add_generation_prompt; True",
        "enable_thinking; True",
        "drop_thinking; False",
        "date_string; 05 Mar 2027",
        "datetime; Mar 05 2027",
        "functions ~ '.'; .",
        "tools is defined; False",
        "strftime_now('%d.%m.%Y'); 05.03.2027",
        "messages[0].keys() | list; ['role', 'content']"
      })
  void variablesAreSet(String expression, String printed) {
    Clock clock = Clock.fixed(Instant.parse("2027-03-05T10:00:00Z"), ZoneOffset.UTC);
    assertEquals(
        printed,
        Templates.text(Templates.of("{{ " + expression + " }}").render(HI, ChatOptions.at(clock))));
  }

  @Test
  void optionsChangeVariables() {
    ChatOptions options =
        Templates.OPTIONS
            .withGenerationPrompt(false)
            .withThinking(false)
            .with("effort", "high")
            .with("numbers", List.of(1, 2.5f, true, Map.of("k", "v")));
    String source = "{{ [add_generation_prompt, enable_thinking, effort, numbers] }}";
    assertEquals(
        "[False, False, 'high', [1, 2.5, True, {'k': 'v'}]]",
        Templates.text(Templates.of(source).render(HI, options)));
  }

  @Test
  void variablesAreDataOnly() {
    List<Object> cycle = new ArrayList<>();
    cycle.add(cycle);
    for (Object value : new Object[] {new Object(), Thread.currentThread(), cycle, List.of('c')}) {
      assertThrows(IllegalArgumentException.class, () -> Templates.OPTIONS.with("x", value));
    }
    assertThrows(
        IllegalArgumentException.class,
        () -> new ChatOptions(true, true, LocalDateTime.MIN, Collections.singletonMap("x", null)));
    assertThrows(IllegalArgumentException.class, () -> new ChatMessage(" ", "x"));
  }

  // ---- a system message that is refused ----

  @Test
  void refusedSystemTextComesBeforeTheFirstUsers() {
    ChatTemplate strict = Templates.of(Templates.resource("strict.jinja"));
    assertEquals(
        "<|begin|><start_of_turn>user\nBe brief.\nHi<end_of_turn>\n<start_of_turn>model\n",
        Templates.text(
            strict.render(
                List.of(ChatMessage.system("Be brief."), ChatMessage.user("Hi")),
                Templates.OPTIONS)));
  }

  @Test
  void whatIsStillRefusedIsTold() {
    ChatTemplate strict = Templates.of(Templates.resource("strict.jinja"));
    List<List<ChatMessage>> conversations =
        List.of(
            List.of(ChatMessage.assistant("x")),
            List.of(ChatMessage.system("s"), ChatMessage.user("a"), ChatMessage.user("b")));
    for (List<ChatMessage> messages : conversations) {
      assertTrue(
          problem(strict, messages).endsWith(": Roles must alternate: user, assistant, user, ..."));
    }
    assertTrue(
        problem(strict, List.of(ChatMessage.system("s"))).endsWith(": There is no system role"));
  }

  // ---- errors ----

  private static String problem(ChatTemplate template, List<ChatMessage> messages) {
    return assertThrows(
            ChatTemplateException.class, () -> template.render(messages, Templates.OPTIONS))
        .getMessage();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "line 1, {{ x.y }}: 'x' is not defined; {{ x.y }}",
        "line 3, {{ 1 + 'a' }}: '+' cannot be used with a number and a text; \\n\\n{{ 1 + 'a' }}",
        "line 1, {{ f(1) }}: there is no function or method 'f'; {{ f(1) }}",
        "line 1, {{ ''.f() }}: there is no function or method 'f'; {{ ''.f() }}",
        "line 1, {% if 1 is odd(2) %}: odd takes no arguments, not 1; {% if 1 is odd(2) %}{% endif"
            + " %}",
        "line 1, {{ 'x' | nope }}: there is no filter 'nope'; {{ 'x' | nope }}",
        "line 1, {{ 1 is nope }}: there is no test 'nope'; {{ 1 is nope }}",
        "line 1, {{ 1 + }}: a value is expected instead of the end; {{ 1 + }}",
        "line 1, {{ (1 }}: ')' is expected before the end; {{ (1 }}",
        "line 1, {{ 1 2 }}: '2' is not expected here; {{ 1 2 }}",
        "line 1: a tag, an expression, or a text in one is not ended; {{ \"a\" }}{{ 'a }}",
        "line 2, {% include 'x' %}: this tag is switched off; \\n{% include 'x' %}",
        "line 1, {{ 1 ? 2 }}: the character '?' has no meaning here; {{ 1 ? 2 }}",
        "line 1, {% for x y %}: 'in' is expected before 'y'; {% for x y %}{% endfor %}",
        "line 1, {% set 1 = 2 %}: a name is expected before '1'; {% set 1 = 2 %}",
        "line 1, {% set x.y = 2 %}: attributes can be set of a namespace only; {% set x.y = 2 %}",
        "line 1, {% set a, b = [1] %}: 1 values are given to 2 variables; {% set a, b = [1] %}",
        "line 1, {% else %}: 'else' stands outside of 'if' and 'for'; {% else %}",
        "line 1, {% break %}: 'break' or 'continue' stands outside of a loop; {% break %}",
        "line 1, {{ 1 // 0 }}: a division by zero; {{ 1 // 0 }}",
        "line 1, {{ 9**99 }}: the result of '**' is too large; {{ 9**99 }}",
        "line 1, {{ -9223372036854775807 - 2 }}: the result of '-' is too large; {{"
            + " -9223372036854775807 - 2 }}",
        "line 2, {{ messages }}: x; {% macro m() %}\\n{{ raise_exception('x') }}{% endmacro %}{{"
            + " m() }}"
      })
  void errorsSayWhereAndWhat(String expected, String template) {
    String problem = problem(Templates.of(template.replace("\\n", "\n")), HI);
    String wanted = expected.replace("{{ messages }}", "{{ raise_exception('x') }}");
    assertTrue(problem.startsWith("chat template, " + wanted), problem);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{% if x %}",
        "{% endif %}",
        "{% nope %}",
        "{% if x %}{% endfor %}",
        "{% for x in y %}{% endif %}",
        "{{ x",
        "{% if",
        "{# x",
        "{{ 'x",
        "{%%}",
        "{% %}",
        "{{}}",
        "{{-}}",
        "{{ }}",
        "{% 5 %}",
        "{%-%}",
        "{% if x %}a{% else %}b{% else %}c{% endif %}",
        "{% if x %}a{% else %}b{% elif y %}c{% endif %}",
        "{% for a in [] %}x{% elif y %}{% endfor %}",
        "{% set %}",
        "{% macro %}{% endmacro %}",
        "{% call x %}{% endcall %}",
        "{% filter %}{% endfilter %}",
        "{{ '\\ud800' }}",
        "{{ '\\u12' }}",
        "{{ '\\U00110000' }}",
        "{{ x[] }}",
        "{{ {1} }}",
        "{{ f(a=1, 2) }}",
        "{{ f(*x) }}",
        "{{ 99999999999999999999 }}"
      })
  void brokenTemplatesAreErrors(String template) {
    String problem = problem(Templates.of(template), HI);
    assertTrue(problem.startsWith("chat template"), problem);
    assertFalse(problem.contains("internal error") || problem.contains("\n"), problem);
  }

  @Test
  void messagesOfErrorsAreOneShortLine() {
    String content = "a\nb\u001B[31m\u202E" + "x".repeat(10_000);
    String problem =
        problem(
            Templates.of("{{ raise_exception(messages[0].content) }}"),
            List.of(ChatMessage.user(content)));
    assertTrue(problem.contains(": a b [31m\uFFFDxxx"), problem);
    assertTrue(problem.length() < 600, problem);
  }

  @Test
  void aConversationWithoutMessagesIsAnError() {
    assertTrue(problem(Templates.of("x"), List.of()).contains("without messages"));
    assertTrue(problem(ChatTemplate.plain(), List.of()).contains("without messages"));
  }

  // ---- tokens ----

  @Test
  void beginTokensAreAddedUnlessTheTemplateWroteThem() {
    Tokenizer tokenizer = Tokenizer.of(TestData.vocabulary("llama-spm"));
    int bos = tokenizer.vocabulary().special(SpecialToken.BOS).orElseThrow();
    int[] hi = tokenizer.encodeChat(ChatTemplate.plain().render(HI, Templates.OPTIONS));
    assertEquals(bos, hi[0]);
    for (String source : List.of("{{ bos_token }}x", "x", "<s>x")) {
      int[] ids =
          tokenizer.encodeChat(
              ChatTemplate.of(source, "<s>", "</s>").render(HI, Templates.OPTIONS));
      assertEquals(bos, ids[0], source);
      assertEquals(1, Arrays.stream(ids).filter(id -> id == bos).count(), source);
    }
    // Of a message it is text, so the real one is added.
    int[] typed =
        tokenizer.encodeChat(
            ChatTemplate.plain().render(List.of(ChatMessage.user("<s>x")), Templates.OPTIONS));
    assertEquals(1, Arrays.stream(typed).filter(id -> id == bos).count());
    assertTrue(typed.length > 4, Arrays.toString(typed));
  }

  @Test
  void promptsOfSmolLm2AreExact() {
    GgufMetadata metadata = TestData.vocabulary("smollm");
    Tokenizer tokenizer = Tokenizer.of(metadata);
    ChatTemplate template = ChatTemplate.of(metadata).orElseThrow();
    int conversations = 0;
    for (JsonNode answer : Templates.json(TestData.file("models/smollm2/answers.json"))) {
      if (answer.get("messages").isNull()) {
        continue;
      }
      List<TextSpan> prompt =
          template.render(Templates.messages(answer.get("messages")), Templates.OPTIONS);
      assertEquals(answer.get("prompt").asText(), Templates.text(prompt));
      int[] ids = new int[answer.get("prompt_ids").size()];
      Arrays.setAll(ids, i -> answer.get("prompt_ids").get(i).asInt());
      assertArrayEquals(ids, tokenizer.encodeChat(prompt));
      conversations++;
    }
    assertEquals(13, conversations);
  }

  // ---- threads ----

  @Test
  void manyThreadsRenderAtOnce() throws InterruptedException, ExecutionException {
    ChatTemplate template = Templates.of(Templates.resource("reasons.jinja"));
    try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Callable<String>> tasks = new ArrayList<>();
      for (int i = 0; i < 64; i++) {
        List<ChatMessage> messages =
            List.of(
                ChatMessage.user("Question " + i),
                ChatMessage.assistant("<think>" + i + "</think>Answer " + i),
                ChatMessage.user("<|end|>" + i));
        tasks.add(() -> Templates.text(template.render(messages, Templates.OPTIONS)));
      }
      List<Future<String>> results = threads.invokeAll(tasks);
      for (int i = 0; i < results.size(); i++) {
        assertEquals(
            "<|user|>\nQuestion N<|end|>\n<|assistant|>\n<think>\nN\n</think>\n\nAnswer N<|end|>\n"
                    .replace("N", Integer.toString(i))
                + "<|user|>\n<|end|>"
                + i
                + "<|end|>\n<|assistant|>\n",
            results.get(i).get());
      }
    }
  }
}
