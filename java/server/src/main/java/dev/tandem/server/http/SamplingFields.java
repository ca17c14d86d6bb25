package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.server.request.ModelCard;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Reads how a request wants its tokens drawn: by OpenAI's names, and by llama.cpp's for what OpenAI
 * does not know. What a request does not say is as the server's operator chose, for both protocols
 * alike, and not as OpenAI documents it: a small model without any filter is no good.
 */
final class SamplingFields {

  // What requests call the options that messages begin with.
  private static final Map<String, String> NAMES =
      Map.of(
          "temperature", "temperature",
          "typical", "typical_p",
          "top-p", "top_p",
          "min-p", "min_p",
          "repeat penalty", "repeat_penalty",
          "presence penalty", "presence_penalty",
          "frequency penalty", "frequency_penalty");

  private SamplingFields() {}

  /**
   * How tokens are drawn; with a seed of its own if the request names none.
   *
   * @param card has what is absent
   */
  static SamplingOptions read(Fields fields, ModelCard card) {
    try {
      SamplingOptions sampling = options(fields, card.sampling());
      sampling.requireFitting(card.vocabulary());
      return sampling;
    } catch (IllegalArgumentException e) {
      String option = e.getMessage().replaceFirst(":.*", "");
      throw HttpFailure.invalid(NAMES.getOrDefault(option, "logit_bias"), e.getMessage());
    }
  }

  private static SamplingOptions options(Fields fields, SamplingOptions defaults) {
    return new SamplingOptions(
        fields.number("temperature").orElse(defaults.temperature()),
        Math.max(0, fields.integer("top_k", -1, Integer.MAX_VALUE).orElse(defaults.topK())),
        fields.number("typical_p").orElse(defaults.typical()),
        fields.number("top_p").orElse(defaults.topP()),
        fields.number("min_p").orElse(defaults.minP()),
        penalties(fields, defaults.penalties()),
        bias(fields, defaults.logitBias()),
        fields.wide("seed").orElseGet(() -> ThreadLocalRandom.current().nextInt(1 << 30)));
  }

  private static Penalties penalties(Fields fields, Penalties defaults) {
    return new Penalties(
        fields
            .integer("repeat_last_n", 0, SamplingOptions.MOST_ADJUSTMENTS)
            .orElse(defaults.lastTokens()),
        fields.number("repeat_penalty").orElse(defaults.repeat()),
        fields.number("presence_penalty").orElse(defaults.presence()),
        fields.number("frequency_penalty").orElse(defaults.frequency()));
  }

  private static Map<Integer, Float> bias(Fields fields, Map<Integer, Float> defaults) {
    if (fields.find("logit_bias").isEmpty()) {
      return defaults;
    }
    Fields biases = fields.object("logit_bias").orElseThrow();
    Map<Integer, Float> all = new HashMap<>();
    for (Map.Entry<String, JsonNode> entry : biases.entries()) {
      if (!entry.getKey().matches("\\d{1,9}")) {
        throw HttpFailure.invalid("logit_bias", "logit_bias: its names must be token ids");
      }
      double bias = biases.number(entry.getKey()).orElse(0);
      if (bias != 0) {
        all.put(Integer.parseInt(entry.getKey()), (float) bias);
      }
    }
    return all;
  }
}
