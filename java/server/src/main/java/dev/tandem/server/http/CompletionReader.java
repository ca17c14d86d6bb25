package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.server.http.CompletionRequest.Prompt;
import dev.tandem.server.request.Backend;
import dev.tandem.text.TextSpan;
import dev.tandem.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Reads requests for text. What it does not know is ignored, as clients are newer than servers;
 * what it knows and cannot do is refused.
 */
final class CompletionReader {

  private static final int MOST_LIKELY = 20;
  private static final int MOST_STOPS = 16;
  private static final int USUAL_LENGTH = 16; // of completions, as OpenAI documents it
  private static final String NO_TOOLS = "this server calls no tools";
  private static final String NO_SCHEMA = "this server cannot bind an answer to a form";

  private final Backend backend;
  private final HttpOptions options;

  CompletionReader(Backend backend, HttpOptions options) {
    this.backend = backend;
    this.options = options;
  }

  /** A request to answer a conversation. */
  CompletionRequest chat(Fields fields) {
    refuseUnknownModel(fields);
    refuseTools(fields);
    refuseMedia(fields);
    refuseForms(fields);
    OptionalInt newer = length(fields, "max_completion_tokens", 1);
    OptionalInt older = length(fields, "max_tokens", 1);
    boolean tell = fields.isOn("logprobs");
    OptionalInt likely = fields.integer("top_logprobs", 0, MOST_LIKELY);
    if (likely.isPresent() && likely.getAsInt() > 0 && !tell) {
      throw HttpFailure.invalid("top_logprobs", "top_logprobs needs logprobs to be true");
    }
    List<TextSpan> prompt = ChatPrompt.render(fields, backend.chatTemplate());
    int[] ids = backend.tokenizer().encodeChat(prompt);
    return request(
        fields,
        AnswerStyle.CHAT,
        List.of(new Prompt(ids, "", 0)), // whose characters no answer counts
        newer.isPresent() ? newer : older,
        newer.isPresent() ? "max_completion_tokens" : "max_tokens",
        tell ? likely.orElse(0) : GenerationOptions.NONE);
  }

  /** A request to continue a text. */
  CompletionRequest text(Fields fields) {
    refuseUnknownModel(fields);
    refuseForms(fields);
    fields.refuse("suffix", "this server writes no text between two others");
    int n = n(fields);
    OptionalInt best = fields.integer("best_of", 1, Integer.MAX_VALUE);
    if (best.isPresent() && best.getAsInt() != n) {
      throw HttpFailure.unsupported("best_of", "best_of is not supported: ask for n texts");
    }
    OptionalInt likely =
        fields.find("logprobs").filter(JsonNode::isBoolean).isPresent()
            ? OptionalInt.empty()
            : fields.integer("logprobs", 0, MOST_LIKELY);
    boolean echo = fields.isOn("echo");
    if (echo && likely.isPresent()) {
      throw HttpFailure.unsupported(
          "echo", "echo is not supported together with logprobs: ask for one of them");
    }
    OptionalInt length = length(fields, "max_tokens", 0);
    return request(
        fields,
        AnswerStyle.TEXT,
        prompts(fields, echo),
        length.isPresent() ? length : OptionalInt.of(USUAL_LENGTH),
        "max_tokens",
        likely.orElse(GenerationOptions.NONE));
  }

  private CompletionRequest request(
      Fields fields,
      AnswerStyle style,
      List<Prompt> prompts,
      OptionalInt maxTokens,
      String lengthName,
      int likely) {
    int n = n(fields);
    if (n * (long) prompts.size() > options.choices()) {
      throw HttpFailure.invalid(
          "n",
          "%d prompts and n = %d are more than the %d texts that one request may ask for"
              .formatted(prompts.size(), n, options.choices()));
    }
    SamplingOptions sampling = SamplingFields.read(fields, backend.card());
    return new CompletionRequest(
        style,
        prompts,
        generationOptions(fields, sampling, likely),
        maxTokens,
        lengthName,
        n,
        fields.isOn("stream"),
        fields.object("stream_options").filter(each -> each.isOn("include_usage")).isPresent(),
        client(fields));
  }

  private static GenerationOptions generationOptions(
      Fields fields, SamplingOptions sampling, int likely) {
    try {
      return new GenerationOptions(
          GenerationOptions.UNLIMITED, sampling, fields.isOn("ignore_eos"), stops(fields), likely);
    } catch (IllegalArgumentException e) { // their number has been looked at: it is one of them
      throw HttpFailure.invalid("stop", e.getMessage());
    }
  }

  private int n(Fields fields) {
    return fields.integer("n", 1, options.choices()).orElse(1);
  }

  private static OptionalInt length(Fields fields, String name, int least) {
    return fields.integer(name, least, Integer.MAX_VALUE);
  }

  private static List<String> stops(Fields fields) {
    Optional<JsonNode> value = fields.find("stop");
    if (value.isPresent() && value.get().isTextual()) {
      return List.of(value.get().textValue());
    }
    List<String> stops = new ArrayList<>();
    for (JsonNode stop : fields.array("stop")) {
      if (!stop.isTextual() || stops.size() == MOST_STOPS) {
        throw HttpFailure.invalid(
            "stop", "stop must be a string, or an array of up to %d".formatted(MOST_STOPS));
      }
      stops.add(stop.textValue());
    }
    return stops;
  }

  /** Of the names for it, the first one; no more of it than a name needs. */
  private static String client(Fields fields) {
    String name = fields.string("safety_identifier").or(() -> fields.string("user")).orElse("");
    return name.substring(0, Math.min(name.length(), 64));
  }

  // ---- Prompts of completions ----

  private List<Prompt> prompts(Fields fields, boolean echo) {
    JsonNode given =
        fields
            .find("prompt")
            .orElseThrow(() -> HttpFailure.invalid("prompt", "prompt is missing: the text"));
    boolean isMany = given.isArray() && !given.isEmpty() && !given.get(0).isNumber();
    if (!isMany) {
      return List.of(prompt(fields, given, echo));
    }
    if (given.size() > options.choices()) {
      throw HttpFailure.invalid(
          "prompt",
          "%d prompts are more than the %d texts that one request may ask for"
              .formatted(given.size(), options.choices()));
    }
    List<Prompt> prompts = new ArrayList<>();
    given.forEach(each -> prompts.add(prompt(fields, each, echo)));
    return prompts;
  }

  private Prompt prompt(Fields fields, JsonNode given, boolean echo) {
    Tokenizer tokenizer = backend.tokenizer();
    if (given.isTextual()) {
      String text = given.textValue();
      List<TextSpan> spans = List.of(new TextSpan(text, fields.isOn("parse_special")));
      return prompt(tokenizer.encodeChat(spans), text, echo);
    }
    if (!given.isArray()) {
      throw HttpFailure.invalid(
          "prompt", "prompt must be a string, token ids, or an array of either");
    }
    int[] ids = fields.tokens("prompt", given);
    for (int id : ids) {
      if (id >= tokenizer.vocabulary().size()) {
        throw HttpFailure.invalid(
            "prompt",
            "prompt: token %d is not in the vocabulary: ids go from 0 to %d"
                .formatted(id, tokenizer.vocabulary().size() - 1));
      }
    }
    return prompt(ids, new String(tokenizer.decode(ids), StandardCharsets.UTF_8), echo);
  }

  private static Prompt prompt(int[] ids, String text, boolean echo) {
    return new Prompt(ids, echo ? text : "", text.codePointCount(0, text.length()));
  }

  // ---- What cannot be served ----

  private void refuseUnknownModel(Fields fields) {
    Optional<String> model = fields.string("model");
    if (options.strictModel() && !model.equals(Optional.of(backend.card().name()))) {
      throw ModelEndpoints.unknown(backend.card());
    }
  }

  private static void refuseTools(Fields fields) {
    fields.refuse("tools", NO_TOOLS);
    fields.refuse("functions", NO_TOOLS);
    for (String name : List.of("tool_choice", "function_call")) {
      Optional<JsonNode> choice = fields.find(name);
      if (choice.isPresent()
          && !choice.get().asText().equals("none")
          && !choice.get().asText().equals("auto")) {
        throw HttpFailure.unsupported(name, name + " must be none: " + NO_TOOLS);
      }
    }
  }

  private static void refuseMedia(Fields fields) {
    fields.refuse("audio", "this server writes text alone");
    fields.refuse("web_search_options", "this server searches nowhere");
    for (JsonNode kind : fields.array("modalities")) {
      if (!kind.asText().equals("text")) {
        throw HttpFailure.unsupported("modalities", "modalities must be text alone");
      }
    }
  }

  private static void refuseForms(Fields fields) {
    Optional<Fields> format = fields.object("response_format");
    if (format.isPresent() && !format.get().string("type").orElse("text").equals("text")) {
      throw HttpFailure.unsupported(
          "response_format", "response_format must be of type text: " + NO_SCHEMA);
    }
    for (String name : List.of("grammar", "json_schema", "guided_json", "structured_outputs")) {
      fields.refuse(name, NO_SCHEMA);
    }
  }
}
