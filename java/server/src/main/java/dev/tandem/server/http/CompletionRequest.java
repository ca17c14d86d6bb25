package dev.tandem.server.http;

import dev.tandem.engine.GenerationOptions;
import java.util.List;
import java.util.OptionalInt;

/**
 * What a request for text asks.
 *
 * @param style of the answer
 * @param prompts what is to be continued, each {@code n} times
 * @param options of the first text; the others have the next seeds
 * @param maxTokens as the client asked; empty = it did not
 * @param lengthName what it called that
 * @param n texts for each prompt
 * @param stream whether the answer comes in parts
 * @param usageAtEnd whether a stream ends with what it has cost
 * @param client who it is for; "" = unknown
 */
record CompletionRequest(
    AnswerStyle style,
    List<Prompt> prompts,
    GenerationOptions options,
    OptionalInt maxTokens,
    String lengthName,
    int n,
    boolean stream,
    boolean usageAtEnd,
    String client) {

  /**
   * A text to be continued.
   *
   * @param ids its tokens
   * @param echo what the answer repeats of it; "" = nothing
   * @param characters that it has as a text (Unicode's code points)
   */
  record Prompt(int[] ids, String echo, int characters) {}

  /** Texts that are asked for. */
  int choices() {
    return prompts.size() * n;
  }

  /** The prompt of a text. */
  Prompt prompt(int choice) {
    return prompts.get(choice / n);
  }

  boolean wantsProbabilities() {
    return options.logProbabilities() != GenerationOptions.NONE;
  }

  /** What the prompt is called in this kind of request. */
  String promptName() {
    return style == AnswerStyle.CHAT ? "messages" : "prompt";
  }
}
