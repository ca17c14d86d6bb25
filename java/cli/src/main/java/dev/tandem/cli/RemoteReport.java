package dev.tandem.cli;

import dev.tandem.client.ClientOptions;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.Timings;
import dev.tandem.protocol.v1.Token;
import dev.tandem.protocol.v1.TokenProbability;
import dev.tandem.protocol.v1.Usage;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What is told of a server's generation beside its text, in the words of {@link GenerationReport}.
 */
record RemoteReport(ClientOptions server, ModelInfo model, Sampling sampling) {

  private static final double MICROS = 1e6;

  /** What runs, and where: one line before the text. */
  String headline() {
    return Printable.line(model.getName())
        + " ("
        + Quantities.count(model.getParameters())
        + " parameters) at "
        + server.address()
        + ", "
        + Printable.line(model.getPlacement())
        + "; context "
        + Quantities.plural(model.getContextTokens(), "token")
        + "; seed "
        + sampling.getSeed();
  }

  /** Speed, and why it ended: one line. */
  String statistics(Finished finished) {
    Usage usage = finished.getUsage();
    Timings timings = finished.getTimings();
    return "waited "
        + Quantities.fixed(timings.getQueueMicros() / MICROS, 3)
        + " s | prompt "
        + Quantities.plural(usage.getPromptTokens(), "token")
        + speed(promptSpeed(finished))
        + ", first token after "
        + Quantities.fixed(timings.getTimeToFirstTokenMicros() / MICROS, 3)
        + " s | generated "
        + Quantities.plural(usage.getGeneratedTokens(), "token")
        + speed(decodeSpeed(finished))
        + " | end: "
        + reason(finished);
  }

  /** All of it, for programs. */
  Map<String, Object> document(
      String prompt, List<Integer> promptIds, String text, List<Token> tokens, Finished finished) {
    Usage usage = finished.getUsage();
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("model", model.getName());
    document.put("prompt", prompt);
    document.put("text", text);
    document.put("reason", reason(finished));
    document.put("prompt_tokens", usage.getPromptTokens());
    document.put("generated_tokens", usage.getGeneratedTokens());
    document.put("prompt_ids", promptIds.stream().mapToInt(id -> id).toArray());
    document.put("ids", tokens.stream().mapToInt(Token::getId).toArray());
    if (tokens.stream().anyMatch(Token::hasProbability)) {
      document.put("logprobs", tokens.stream().map(RemoteReport::document).toList());
    }
    document.put("temperature", sampling.getTemperature());
    document.put("top_k", sampling.getTopK());
    document.put("top_p", sampling.getTopP());
    document.put("min_p", sampling.getMinP());
    document.put("typical", sampling.getTypical());
    document.put("repeat_penalty", sampling.getRepeatPenalty());
    document.put("presence_penalty", sampling.getPresencePenalty());
    document.put("frequency_penalty", sampling.getFrequencyPenalty());
    document.put("repeat_last_n", sampling.getPenaltyTokens());
    document.put("seed", sampling.getSeed());
    document.put("context", model.getContextTokens());
    document.put("server", server.address());
    document.put("placement", model.getPlacement());
    document.put("timings", timings(finished));
    return document;
  }

  private static Map<String, Object> timings(Finished finished) {
    Timings of = finished.getTimings();
    Map<String, Object> timings = new LinkedHashMap<>();
    timings.put("queue_seconds", of.getQueueMicros() / MICROS);
    timings.put("first_token_seconds", of.getTimeToFirstTokenMicros() / MICROS);
    timings.put("prompt_tokens_per_second", promptSpeed(finished));
    timings.put("decode_seconds", decodeMicros(finished) / MICROS);
    timings.put("decode_tokens_per_second", decodeSpeed(finished));
    timings.put("total_seconds", of.getTotalMicros() / MICROS);
    return timings;
  }

  private static Map<String, Object> document(Token token) {
    Map<String, Object> document = document(token.getProbability());
    document.put("top", token.getTopList().stream().map(RemoteReport::document).toList());
    return document;
  }

  private static Map<String, Object> document(TokenProbability token) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("id", token.getId());
    document.put("logprob", token.getLog());
    return document;
  }

  /** Without the time of waiting, and without tokens that were in the cache. */
  private static double promptSpeed(Finished finished) {
    Timings timings = finished.getTimings();
    Usage usage = finished.getUsage();
    return speed(
        usage.getPromptTokens() - usage.getCachedTokens(),
        timings.getTimeToFirstTokenMicros() - timings.getQueueMicros());
  }

  private static double decodeSpeed(Finished finished) {
    return speed(finished.getUsage().getGeneratedTokens() - 1, decodeMicros(finished));
  }

  private static long decodeMicros(Finished finished) {
    return finished.getTimings().getTimePerOutputTokenMicros()
        * Math.max(0, finished.getUsage().getGeneratedTokens() - 1);
  }

  private static double speed(int tokens, long micros) {
    return tokens <= 0 || micros <= 0 ? 0 : tokens / (micros / MICROS);
  }

  private static String speed(double tokensPerSecond) {
    return tokensPerSecond == 0 ? "" : ", " + Quantities.fixed(tokensPerSecond, 1) + " tokens/s";
  }

  private static String reason(Finished finished) {
    return finished.getReason().name().toLowerCase(Locale.ROOT);
  }
}
