package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.tandem.server.Await;
import dev.tandem.server.request.ScriptedBackend;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests for text, and what comes back. */
@Timeout(60)
final class CompletionsTest {

  private static final ObjectMapper MAPPER = new ObjectMapper();
  private static final String CHAT = "/v1/chat/completions";
  private static final String TEXT = "/v1/completions";

  static JsonNode json(String text) {
    try {
      return MAPPER.readTree(text);
    } catch (JsonProcessingException e) {
      throw new AssertionError("no JSON: " + text, e);
    }
  }

  private static JsonNode ok(HttpResponse<String> response) {
    assertEquals(200, response.statusCode(), response.body());
    return json(response.body());
  }

  private static JsonNode error(int status, HttpResponse<String> response) {
    assertEquals(status, response.statusCode(), response.body());
    assertEquals("application/json", response.headers().firstValue("content-type").orElseThrow());
    return json(response.body()).get("error");
  }

  /** The data of all events, without the last one, which must say that it is. */
  static List<JsonNode> events(String body) {
    List<JsonNode> events = new ArrayList<>();
    String[] parts = body.split("\n\n");
    assertEquals("data: [DONE]", parts[parts.length - 1]);
    for (int i = 0; i < parts.length - 1; i++) {
      if (!parts[i].startsWith(":")) {
        assertTrue(parts[i].startsWith("data: "), parts[i]);
        events.add(json(parts[i].substring(6)));
      }
    }
    return events;
  }

  private static String content(List<JsonNode> events, int choice) {
    StringBuilder text = new StringBuilder();
    for (JsonNode event : events) {
      for (JsonNode each : event.get("choices")) {
        if (each.get("index").intValue() == choice) {
          text.append(each.path("delta").path("content").asText(""));
          text.append(each.path("text").asText(""));
        }
      }
    }
    return text.toString();
  }

  @Test
  void answersAConversation() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("a \"b\"\n\t\\ € 😀"))) {
      JsonNode answer = ok(port.post(CHAT, Requests.chat(",\"max_tokens\":100")));
      JsonNode choice = answer.get("choices").get(0);
      assertEquals("chat.completion", answer.get("object").textValue());
      assertEquals("scripted", answer.get("model").textValue());
      assertEquals("assistant", choice.get("message").get("role").textValue());
      assertEquals("a \"b\"\n\t\\ € 😀", choice.get("message").get("content").textValue().strip());
      assertEquals("stop", choice.get("finish_reason").textValue());
      assertTrue(choice.get("logprobs").isNull());
      JsonNode usage = answer.get("usage");
      assertEquals(
          usage.get("total_tokens").intValue(),
          usage.get("prompt_tokens").intValue() + usage.get("completion_tokens").intValue());
      assertEquals(0, usage.get("prompt_tokens_details").get("cached_tokens").intValue());
      assertTrue(answer.get("timings").get("total_ms").doubleValue() > 0);
    }
  }

  @Test
  void aStreamSaysTheSame() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("a \"b\"\n\t\\ c"))) {
      HttpResponse<String> response =
          port.post(
              CHAT, Requests.chat(",\"stream\":true,\"stream_options\":{\"include_usage\":true}"));
      assertEquals("no-store", response.headers().firstValue("cache-control").orElseThrow());
      assertEquals("no", response.headers().firstValue("x-accel-buffering").orElseThrow());
      List<JsonNode> events = events(response.body());
      assertEquals("a \"b\"\n\t\\ c", content(events, 0).strip());
      JsonNode first = events.getFirst().get("choices").get(0);
      assertEquals("assistant", first.get("delta").get("role").textValue());
      JsonNode end = events.get(events.size() - 2).get("choices").get(0);
      assertEquals("stop", end.get("finish_reason").textValue());
      assertTrue(events.get(events.size() - 2).get("usage").isNull());
      assertTrue(events.getLast().get("choices").isEmpty());
      assertTrue(events.getLast().get("usage").get("completion_tokens").intValue() > 0);
      for (JsonNode event : events) {
        assertEquals("chat.completion.chunk", event.get("object").textValue());
        assertEquals(events.getFirst().get("id"), event.get("id"));
      }
    }
  }

  @Test
  void continuesATextAndEchoesIt() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("once upon a time there was a king"))) {
      JsonNode answer =
          ok(port.post(TEXT, "{\"prompt\":\"abc\",\"echo\":true,\"max_tokens\":100}"));
      assertEquals("text_completion", answer.get("object").textValue());
      assertEquals(
          "abc once upon a time there was a king",
          answer.get("choices").get(0).get("text").textValue());
      JsonNode usual = ok(port.post(TEXT, "{\"prompt\":\"abc\"}"));
      assertEquals(16, usual.get("usage").get("completion_tokens").intValue());
      assertEquals("length", usual.get("choices").get(0).get("finish_reason").textValue());
      String stream = port.post(TEXT, "{\"prompt\":\"abc\",\"echo\":true,\"stream\":true}").body();
      assertTrue(content(events(stream), 0).startsWith("abc once"));
    }
  }

  @Test
  void promptsMayBeManyAndTokens() {
    ScriptedBackend backend = ScriptedBackend.saying("yes");
    try (HttpPort port = HttpPort.of(backend)) {
      ok(port.post(TEXT, "{\"prompt\":[300,301,302]}"));
      assertEquals(List.of(300, 301, 302), backend.asked().getFirst().prompt());
      JsonNode two = ok(port.post(TEXT, "{\"prompt\":[[300],[301,302]],\"n\":2}"));
      assertEquals(4, two.get("choices").size());
      assertEquals(3, two.get("usage").get("prompt_tokens").intValue());
      JsonNode texts = ok(port.post(TEXT, "{\"prompt\":[\"a\",\"b\"],\"echo\":true}"));
      assertEquals("a yes", texts.get("choices").get(0).get("text").textValue());
      assertEquals("b yes", texts.get("choices").get(1).get("text").textValue());
    }
  }

  @Test
  void eachChoiceHasASeedOfItsOwn() {
    ScriptedBackend backend = ScriptedBackend.saying("yes");
    try (HttpPort port = HttpPort.of(backend)) {
      JsonNode answer = ok(port.post(CHAT, Requests.chat(",\"n\":3,\"seed\":-7,\"top_k\":-1")));
      assertEquals(3, answer.get("choices").size());
      assertEquals(
          List.of(-7L, -6L, -5L),
          backend.asked().stream().map(each -> each.options().sampling().seed()).sorted().toList());
      List<JsonNode> events =
          events(port.post(CHAT, Requests.chat(",\"n\":2,\"stream\":true")).body());
      assertEquals("yes", content(events, 0).strip());
      assertEquals("yes", content(events, 1).strip());
    }
  }

  @Test
  void samplingIsAsAskedOrAsTheServerHasIt() {
    ScriptedBackend backend = ScriptedBackend.saying("yes");
    try (HttpPort port = HttpPort.of(backend)) {
      ok(port.post(CHAT, Requests.chat("")));
      var usual = backend.asked().getLast().options().sampling();
      assertEquals(backend.card().sampling().withSeed(usual.seed()), usual);
      ok(
          port.post(
              CHAT,
              Requests.chat(
                  ",\"temperature\":0.25,\"top_p\":0.5,\"top_k\":7,\"min_p\":0.125,\"typical_p\":0.75,"
                      + "\"repeat_penalty\":1.5,\"repeat_last_n\":9,\"presence_penalty\":-0.5,"
                      + "\"frequency_penalty\":2,\"logit_bias\":{\"300\":-100,\"301\":5},\"seed\":11,"
                      + "\"max_completion_tokens\":3,\"stop\":[\"x\",\"y\"],\"ignore_eos\":true")));
      var options = backend.asked().getLast().options();
      var sampling = options.sampling();
      assertEquals(0.25, sampling.temperature());
      assertEquals(0.5, sampling.topP());
      assertEquals(7, sampling.topK());
      assertEquals(0.125, sampling.minP());
      assertEquals(0.75, sampling.typical());
      assertEquals(1.5, sampling.penalties().repeat());
      assertEquals(9, sampling.penalties().lastTokens());
      assertEquals(-0.5, sampling.penalties().presence());
      assertEquals(2, sampling.penalties().frequency());
      assertEquals(-100f, sampling.logitBias().get(300));
      assertEquals(5f, sampling.logitBias().get(301));
      assertEquals(11, sampling.seed());
      assertEquals(3, options.maxTokens());
      assertEquals(List.of("x", "y"), options.stop());
      assertTrue(options.ignoreEnd());
    }
  }

  @Test
  void stopStringsEndATextAndAreNoPartOfIt() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("one two three"))) {
      JsonNode whole = ok(port.post(CHAT, Requests.chat(",\"stop\":\"wo t\"")));
      assertEquals(" one t", whole.get("choices").get(0).get("message").get("content").textValue());
      assertEquals("stop", whole.get("choices").get(0).get("finish_reason").textValue());
      // What may begin a stop string is held back, and comes at the end if it was none.
      List<JsonNode> events =
          events(port.post(CHAT, Requests.chat(",\"stop\":\"threes\",\"stream\":true")).body());
      assertEquals(" one two three", content(events, 0));
    }
  }

  @Test
  void tellsHowLikelyTokensWere() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes no"))) {
      JsonNode chat =
          ok(port.post(CHAT, Requests.chat(",\"logprobs\":true,\"top_logprobs\":2")))
              .get("choices")
              .get(0)
              .get("logprobs")
              .get("content");
      assertEquals(-0.5, chat.get(0).get("logprob").doubleValue());
      assertEquals(2, chat.get(0).get("top_logprobs").size());
      assertEquals(chat.get(0).get("token").textValue().length(), chat.get(0).get("bytes").size());
      JsonNode text =
          ok(port.post(TEXT, "{\"prompt\":\"a\",\"logprobs\":2}")).get("choices").get(0);
      JsonNode likely = text.get("logprobs");
      assertEquals(chat.size(), likely.get("tokens").size());
      assertEquals(chat.size(), likely.get("token_logprobs").size());
      assertEquals(2, likely.get("top_logprobs").get(0).size());
      StringBuilder all = new StringBuilder();
      for (int i = 0; i < likely.get("tokens").size(); i++) {
        assertEquals(1 + all.length(), likely.get("text_offset").get(i).intValue(), "the prompt's");
        all.append(likely.get("tokens").get(i).textValue());
      }
      assertEquals(text.get("text").textValue(), all.toString());
      List<JsonNode> events =
          events(port.post(TEXT, "{\"prompt\":\"a\",\"logprobs\":0,\"stream\":true}").body());
      assertEquals(1, events.get(0).at("/choices/0/logprobs/text_offset/0").intValue());
      assertTrue(events.get(1).at("/choices/0/logprobs/text_offset/0").intValue() > 1);
      assertTrue(events.get(0).at("/choices/0/logprobs/top_logprobs").isNull());
    }
  }

  /** Characters are told by several tokens, each of which begins where its character does. */
  @Test
  void offsetsCountCharactersOfPromptAndText() {
    ScriptedBackend backend = ScriptedBackend.saying("\u00e9\ud83d\ude00b");
    List<Integer> expected = List.of(2, 3, 3, 4, 4, 4, 4, 5);
    try (HttpPort port = HttpPort.of(backend)) {
      String asked = "{\"prompt\":\"x\ud83d\ude00\",\"logprobs\":1";
      JsonNode choice = ok(port.post(TEXT, asked + "}")).get("choices").get(0);
      assertEquals(" \u00e9\ud83d\ude00b", choice.get("text").textValue());
      assertEquals(expected, integers(choice.at("/logprobs/text_offset")));
      List<Integer> streamed = new ArrayList<>();
      for (JsonNode event : events(port.post(TEXT, asked + ",\"stream\":true}").body())) {
        streamed.addAll(integers(event.at("/choices/0/logprobs/text_offset")));
      }
      assertEquals(expected, streamed);
      JsonNode ids = ok(port.post("/tokenize", "{\"content\":\"x\ud83d\ude00\"}")).get("tokens");
      asked = "{\"logprobs\":1,\"prompt\":" + ids;
      choice = ok(port.post(TEXT, asked + "}")).get("choices").get(0);
      assertEquals(expected, integers(choice.at("/logprobs/text_offset")));
    }
  }

  private static List<Integer> integers(JsonNode array) {
    List<Integer> all = new ArrayList<>();
    array.forEach(each -> all.add(each.intValue()));
    return all;
  }

  @Test
  void takesWhatClientsReallySend() {
    ScriptedBackend backend = ScriptedBackend.saying("yes");
    try (HttpPort port = HttpPort.of(backend)) {
      ok(
          port.post(
              CHAT,
              """
              {"model":"gpt-4o-mini","messages":[
                {"role":"developer","content":"be brief"},
                {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"name":"x"},
                {"role":"assistant","content":null,"tool_calls":[],"refusal":null},
                {"role":"user","content":""}],
               "tools":[],"tool_choice":"none","response_format":{"type":"text"},"temperature":null,
               "max_tokens":null,"stop":null,"logit_bias":null,"seed":null,"stream":false,
               "stream_options":null,"n":null,"user":"u","metadata":{"a":"b"},"store":false,
               "parallel_tool_calls":true,"modalities":["text"],"audio":null,"unknown_thing":[1,{"x":2}],
               "reasoning_effort":"low","service_tier":"auto","functions":null,"top_logprobs":null}
              """));
      JsonNode prompt =
          ok(
              port.post(
                  "/apply-template",
                  "{\"messages\":[{\"role\":\"developer\",\"content\":\"be brief\"},"
                      + "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                      + "{\"type\":\"text\",\"text\":\"b\"}]}]}"));
      assertEquals("[system]be brief\n[user]a\nb\n[assistant]", prompt.get("prompt").textValue());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "tools|,\"tools\":[{\"type\":\"function\"}]",
        "tool_choice|,\"tool_choice\":\"required\"",
        "tool_choice|,\"tool_choice\":{\"type\":\"function\"}",
        "functions|,\"functions\":[{}]",
        "response_format|,\"response_format\":{\"type\":\"json_object\"}",
        "response_format|,\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{}}",
        "grammar|,\"grammar\":\"root ::= x\"",
        "audio|,\"audio\":{\"voice\":\"x\"}",
        "modalities|,\"modalities\":[\"text\",\"audio\"]",
        "n|,\"n\":0",
        "n|,\"n\":1000",
        "temperature|,\"temperature\":-1",
        "temperature|,\"temperature\":\"NaN\"",
        "temperature|,\"temperature\":1e999",
        "top_p|,\"top_p\":1.5",
        "min_p|,\"min_p\":-0.1",
        "typical_p|,\"typical_p\":2",
        "repeat_penalty|,\"repeat_penalty\":0",
        "presence_penalty|,\"presence_penalty\":1e9",
        "max_tokens|,\"max_tokens\":-5",
        "max_tokens|,\"max_tokens\":0",
        "max_tokens|,\"max_tokens\":1.5",
        "max_completion_tokens|,\"max_completion_tokens\":100000",
        "top_k|,\"top_k\":-2",
        "seed|,\"seed\":1e30",
        "stop|,\"stop\":\"\"",
        "stop|,\"stop\":[1]",
        "logit_bias|,\"logit_bias\":{\"x\":1}",
        "logit_bias|,\"logit_bias\":{\"999999\":1}",
        "logit_bias.5|,\"logit_bias\":{\"5\":\"much\"}",
        "top_logprobs|,\"top_logprobs\":2",
        "top_logprobs|,\"logprobs\":true,\"top_logprobs\":21",
        "stream|,\"stream\":\"yes\"",
        "model|,\"model\":5",
      })
  void namesTheParameterThatIsWrong(String parameter, String fields) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      JsonNode error = error(400, port.post(CHAT, Requests.chat(fields)));
      assertEquals(parameter, error.get("param").textValue(), error.toString());
      assertTrue(error.get("type").textValue().equals("invalid_request_error"), error.toString());
      assertFalse(error.get("message").textValue().isBlank());
      assertFalse(error.get("code").textValue().isBlank());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"messages\":[]}",
        "{}",
        "{\"messages\":\"hello\"}",
        "{\"messages\":[5]}",
        "{\"messages\":[{\"role\":\"user\"}]}",
        "{\"messages\":[{\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"\",\"content\":\"a\"}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":{\"a\":1}}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\"}]}]}",
        "{\"messages\":[{\"role\":\"user\",\"content\":[\"a\"]}]}",
        "{\"messages\":[{\"role\":\"assistant\",\"content\":\"a\",\"tool_calls\":[{}]}]}",
      })
  void refusesConversationsThatAreNone(String body) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      JsonNode error = error(400, port.post(CHAT, body));
      assertTrue(error.get("param").textValue().startsWith("messages"), error.toString());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "prompt|{}",
        "prompt|{\"prompt\":5}",
        "prompt|{\"prompt\":[]}",
        "prompt|{\"prompt\":[1,\"a\"]}",
        "prompt|{\"prompt\":[1,-2]}",
        "prompt|{\"prompt\":[5000]}",
        "suffix|{\"prompt\":\"a\",\"suffix\":\"b\"}",
        "best_of|{\"prompt\":\"a\",\"best_of\":3}",
        "echo|{\"prompt\":\"a\",\"echo\":true,\"logprobs\":1}",
        "logprobs|{\"prompt\":\"a\",\"logprobs\":100}",
        "n|{\"prompt\":[\"a\",\"b\"],\"n\":16}",
      })
  void namesTheParameterOfACompletion(String parameter, String body) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      JsonNode error = error(400, port.post(TEXT, body));
      assertEquals(parameter, error.get("param").textValue(), error.toString());
    }
  }

  @Test
  void aPromptBeyondTheContextIsRefusedAsClientsKnowIt() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes").withContext(64))) {
      String text = "a b c d ".repeat(100);
      JsonNode error =
          error(
              400,
              port.post(CHAT, "{\"messages\":[{\"role\":\"user\",\"content\":\"" + text + "\"}]}"));
      assertEquals("context_length_exceeded", error.get("code").textValue());
      assertEquals("messages", error.get("param").textValue());
      JsonNode length = error(400, port.post(CHAT, Requests.chat(",\"max_tokens\":60")));
      assertEquals("context_length_exceeded", length.get("code").textValue());
      assertEquals("max_tokens", length.get("param").textValue());
    }
  }

  @Test
  void otherModelsAreServedUnlessTheServerIsStrict() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      JsonNode answer = ok(port.post(CHAT, Requests.chat(",\"model\":\"other\"")));
      assertEquals("scripted", answer.get("model").textValue());
    }
    HttpOptions strict = HttpOptions.defaults().with(true, false);
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"), strict)) {
      ok(port.post(CHAT, Requests.chat(",\"model\":\"scripted\"")));
      JsonNode error = error(404, port.post(CHAT, Requests.chat(",\"model\":\"other\"")));
      assertEquals("model_not_found", error.get("code").textValue());
      assertEquals("model", error.get("param").textValue());
      assertEquals(404, port.get("/v1/models/other").statusCode());
    }
  }

  @Test
  void aFailureInAStreamIsAnEvent() {
    ScriptedBackend backend =
        ScriptedBackend.saying("one two three").failingAfter(3, new IllegalStateException("boom"));
    try (HttpPort port = HttpPort.of(backend)) {
      String body = port.post(CHAT, Requests.chat(",\"stream\":true")).body();
      String[] parts = body.split("\n\n");
      JsonNode last = json(parts[parts.length - 1].substring(6));
      assertEquals("internal_error", last.get("error").get("code").textValue());
      assertFalse(body.contains("boom"));
      assertEquals(500, port.post(CHAT, Requests.chat("")).statusCode());
      assertEquals(500, port.post(CHAT, Requests.chat(",\"n\":3")).statusCode());
    }
  }

  @Test
  void aRequestThatFindsNoPlaceForAllItsTextsHasNone() {
    Semaphore pace = new Semaphore(0);
    ScriptedBackend backend = ScriptedBackend.endless().paced(pace);
    try (HttpPort port = HttpPort.of(backend)) {
      for (String stream : List.of("true", "false")) {
        HttpResponse<String> response =
            port.post(CHAT, Requests.chat(",\"n\":13,\"stream\":" + stream));
        JsonNode error = error(429, response);
        assertEquals("server_overloaded", error.get("code").textValue());
        assertEquals("2", response.headers().firstValue("retry-after").orElseThrow());
        Await.until(() -> port.desk().unfinished() == 0); // cancelled, all of them
      }
    }
  }

  @Test
  void tokensThereAndBack() {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"))) {
      JsonNode tokens = ok(port.post("/tokenize", "{\"content\":\"once upon\"}")).get("tokens");
      assertEquals(
          "once upon",
          ok(port.post("/detokenize", "{\"tokens\":" + tokens + "}"))
              .get("content")
              .textValue()
              .strip());
      JsonNode pieces =
          ok(port.post("/tokenize", "{\"content\":\"once\",\"with_pieces\":true}")).get("tokens");
      assertEquals(tokens.get(1).intValue(), pieces.get(1).get("id").intValue());
      assertNotEquals("", pieces.get(1).get("piece").textValue());
      assertEquals(
          "tokens",
          error(400, port.post("/detokenize", "{\"tokens\":[5000]}")).get("param").textValue());
      assertEquals("content", error(400, port.post("/tokenize", "{}")).get("param").textValue());
    }
  }
}
