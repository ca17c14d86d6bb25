package dev.tandem.server.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.server.request.Outcome;
import java.time.Duration;

/**
 * What texts have cost, in tokens.
 *
 * @param prompt of all prompts, each counted once
 * @param generated of all texts
 * @param cached of the prompts, those that need not be read
 */
record Usage(int prompt, int generated, int cached) {

  static final Usage NONE = new Usage(0, 0, 0);

  /**
   * With one more text.
   *
   * @param isFirst whether it is the first one of its prompt
   */
  Usage plus(Outcome outcome, boolean isFirst) {
    return new Usage(
        prompt + (isFirst ? outcome.promptTokens() : 0),
        generated + outcome.generation().generatedTokens(),
        cached + (isFirst ? outcome.generation().cachedTokens() : 0));
  }

  ObjectNode json() {
    ObjectNode node =
        Json.object()
            .put("prompt_tokens", prompt)
            .put("completion_tokens", generated)
            .put("total_tokens", prompt + generated);
    node.putObject("prompt_tokens_details").put("cached_tokens", cached);
    return node;
  }

  /** How long a text took: not OpenAI's, for people who look at it. */
  static ObjectNode timings(Outcome outcome) {
    return Json.object()
        .put("queue_ms", millis(outcome.queued()))
        .put("time_to_first_token_ms", millis(outcome.firstToken()))
        .put("time_per_output_token_ms", millis(outcome.perOutputToken()))
        .put("total_ms", millis(outcome.total()))
        .put("tokens_per_second", Math.round(outcome.generation().decodeSpeed() * 100) / 100.0);
  }

  private static double millis(Duration time) {
    return time.toNanos() / 1000 / 1e3;
  }
}
