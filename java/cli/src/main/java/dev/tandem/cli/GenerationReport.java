package dev.tandem.cli;

import dev.tandem.engine.Engine;
import dev.tandem.engine.Generation;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What is told of a generation beside its text.
 *
 * @param model what generates
 * @param sampling how it draws tokens
 * @param startNanos {@link System#nanoTime()} when it began to load
 */
record GenerationReport(TandemModel model, SamplingOptions sampling, long startNanos) {

  private static final double NANOS = 1e9;

  /** What runs, and where: one line before the text. */
  String headline() {
    Engine engine = model.engine();
    return Printable.line(model.model().name())
        + " ("
        + Quantities.count(model.model().graph().parameters())
        + " parameters) on "
        + engine.device().description()
        + "; context "
        + Quantities.plural(engine.kvTokens(), "token")
        + "; memory at most "
        + MemoryNeed.text(engine.memory().total())
        + "; seed "
        + sampling.seed();
  }

  /** Speed, memory, and why it ended: one line. */
  String statistics(Generation generation) {
    return "load "
        + Quantities.fixed(loadSeconds(), 2)
        + " s | "
        + speeds("prompt", generation)
        + " | memory "
        + model.engine().memory();
  }

  /**
   * Tokens and their speeds, and why it ended.
   *
   * @param prompt what to call the reading of the prompt
   */
  static String speeds(String prompt, Generation generation) {
    return prompt
        + " "
        + Quantities.plural(generation.promptTokens(), "token")
        + speed(generation.promptSpeed())
        + ", first token after "
        + Quantities.fixed(generation.firstToken().toNanos() / NANOS, 3)
        + " s | generated "
        + Quantities.plural(generation.generatedTokens(), "token")
        + speed(generation.decodeSpeed())
        + " | end: "
        + reason(generation);
  }

  /** Until all weights were there; the prompt may have been read meanwhile. */
  private double loadSeconds() {
    return (model.engine().loadedNanos() - startNanos) / NANOS;
  }

  /** All of it, for programs. */
  Map<String, Object> document(
      String prompt,
      int[] promptIds,
      String text,
      int[] ids,
      List<TokenProbabilities> probabilities,
      Generation generation) {
    Map<String, Object> timings = new LinkedHashMap<>();
    timings.put("load_seconds", loadSeconds());
    timings.put("first_token_seconds", generation.firstToken().toNanos() / NANOS);
    timings.put("prompt_tokens_per_second", generation.promptSpeed());
    timings.put("decode_seconds", generation.decode().toNanos() / NANOS);
    timings.put("decode_tokens_per_second", generation.decodeSpeed());
    Engine engine = model.engine();
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", model.model().name());
    document.put("prompt", prompt);
    document.put("text", text);
    document.put("reason", reason(generation));
    document.put("prompt_tokens", generation.promptTokens());
    document.put("generated_tokens", generation.generatedTokens());
    document.put("prompt_ids", promptIds);
    document.put("ids", ids);
    if (!probabilities.isEmpty()) {
      document.put("logprobs", probabilities.stream().map(GenerationReport::document).toList());
    }
    document.put("temperature", sampling.temperature());
    document.put("top_k", sampling.topK());
    document.put("top_p", sampling.topP());
    document.put("min_p", sampling.minP());
    document.put("typical", sampling.typical());
    document.put("repeat_penalty", sampling.penalties().repeat());
    document.put("presence_penalty", sampling.penalties().presence());
    document.put("frequency_penalty", sampling.penalties().frequency());
    document.put("repeat_last_n", sampling.penalties().lastTokens());
    document.put("seed", sampling.seed());
    document.put("context", engine.kvTokens());
    document.put("device", engine.device().name());
    document.put("instruction_set", engine.device().instructionSet());
    document.put("threads", engine.device().threads());
    document.put("memory_bytes", engine.memory().total());
    document.put("timings", timings);
    return document;
  }

  private static Map<String, Object> document(TokenProbabilities probabilities) {
    Map<String, Object> document = document(probabilities.chosen());
    document.put("top", probabilities.top().stream().map(GenerationReport::document).toList());
    return document;
  }

  private static Map<String, Object> document(TokenProbabilities.TokenProbability token) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("id", token.id());
    document.put("logprob", token.log());
    return document;
  }

  private static String speed(double tokensPerSecond) {
    return tokensPerSecond == 0 ? "" : ", " + Quantities.fixed(tokensPerSecond, 1) + " tokens/s";
  }

  private static String reason(Generation generation) {
    return generation.reason().name().toLowerCase(Locale.ROOT);
  }
}
