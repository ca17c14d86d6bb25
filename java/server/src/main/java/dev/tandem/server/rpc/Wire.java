package dev.tandem.server.rpc;

import dev.tandem.engine.Generation;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.protocol.v1.Error;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GoAway;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Timings;
import dev.tandem.protocol.v1.Usage;
import dev.tandem.server.request.ModelCard;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import java.time.Duration;

/** What the server knows, in the protocol's words. */
final class Wire {

  private Wire() {}

  static ServerMessage error(long requestId, ErrorCode code, String message) {
    return error(requestId, Error.newBuilder().setCode(code).setMessage(message));
  }

  static ServerMessage error(long requestId, Refusal refusal) {
    return error(
        requestId,
        Error.newBuilder()
            .setCode(code(refusal.problem()))
            .setMessage(refusal.getMessage())
            .setRetry(refusal.problem().retry())
            .setRetryAfterMillis(millis(refusal.retryAfter())));
  }

  private static ServerMessage error(long requestId, Error.Builder error) {
    return ServerMessage.newBuilder().setRequestId(requestId).setError(error).build();
  }

  /** Of the connection, after which it is closed. */
  static ServerMessage error(ErrorCode code, String message, boolean retry, Duration retryAfter) {
    return error(
        0,
        Error.newBuilder()
            .setCode(code)
            .setMessage(message)
            .setRetry(retry)
            .setRetryAfterMillis(millis(retryAfter)));
  }

  static ServerMessage goAway(String message, Duration retryAfter) {
    return ServerMessage.newBuilder()
        .setGoAway(GoAway.newBuilder().setMessage(message).setRetryAfterMillis(millis(retryAfter)))
        .build();
  }

  private static ErrorCode code(Problem problem) {
    return switch (problem) {
      case INVALID_ARGUMENT -> ErrorCode.INVALID_ARGUMENT;
      case UNSUPPORTED -> ErrorCode.UNSUPPORTED;
      case UNAUTHENTICATED -> ErrorCode.UNAUTHENTICATED;
      case PERMISSION_DENIED -> ErrorCode.PERMISSION_DENIED;
      case CONTEXT_EXCEEDED -> ErrorCode.CONTEXT_EXCEEDED;
      case OVERLOADED -> ErrorCode.OVERLOADED;
      case LOADING -> ErrorCode.LOADING;
      case DEADLINE_EXCEEDED -> ErrorCode.DEADLINE_EXCEEDED;
      case SLOW_READER -> ErrorCode.SLOW_READER;
      case LIMIT_EXCEEDED -> ErrorCode.LIMIT_EXCEEDED;
      case UNAVAILABLE -> ErrorCode.UNAVAILABLE;
      case INTERNAL -> ErrorCode.INTERNAL;
    };
  }

  static ModelInfo modelInfo(ModelCard card) {
    return ModelInfo.newBuilder()
        .setName(card.name())
        .setArchitecture(card.architecture())
        .setFormat(card.format())
        .setParameters(card.parameters())
        .setContextTokens(card.contextTokens())
        .setVocabulary(card.vocabulary())
        .setHasChatTemplate(card.hasChatTemplate())
        .setPlacement(card.placement())
        .setDefaultSampling(sampling(card.sampling()))
        .build();
  }

  /** Without the seed: where a request names none, it has one of its own. */
  private static Sampling sampling(SamplingOptions options) {
    return Sampling.newBuilder()
        .setTemperature(options.temperature())
        .setTopK(options.topK())
        .setTopP(options.topP())
        .setMinP(options.minP())
        .setTypical(options.typical())
        .setRepeatPenalty(options.penalties().repeat())
        .setPresencePenalty(options.penalties().presence())
        .setFrequencyPenalty(options.penalties().frequency())
        .setPenaltyTokens(options.penalties().lastTokens())
        .putAllLogitBias(options.logitBias())
        .build();
  }

  static ServerMessage finished(long requestId, Outcome outcome) {
    Generation generation = outcome.generation();
    Finished.Builder finished =
        Finished.newBuilder()
            .setReason(reason(generation.reason()))
            .setText(outcome.rest())
            .setUsage(
                Usage.newBuilder()
                    .setPromptTokens(outcome.promptTokens())
                    .setGeneratedTokens(generation.generatedTokens())
                    .setCachedTokens(generation.cachedTokens()))
            .setTimings(
                Timings.newBuilder()
                    .setQueueMicros(micros(outcome.queued()))
                    .setTimeToFirstTokenMicros(micros(outcome.firstToken()))
                    .setTimePerOutputTokenMicros(micros(outcome.perOutputToken()))
                    .setTotalMicros(micros(outcome.total())));
    generation.stop().ifPresent(finished::setStop);
    return ServerMessage.newBuilder().setRequestId(requestId).setFinished(finished).build();
  }

  /** The end of a request that was cancelled before there was anything to cancel. */
  static ServerMessage cancelled(long requestId) {
    return ServerMessage.newBuilder()
        .setRequestId(requestId)
        .setFinished(
            Finished.newBuilder()
                .setReason(Finished.Reason.CANCELLED)
                .setUsage(Usage.getDefaultInstance())
                .setTimings(Timings.getDefaultInstance()))
        .build();
  }

  private static Finished.Reason reason(Generation.Reason reason) {
    return switch (reason) {
      case STOP -> Finished.Reason.STOP;
      case LENGTH -> Finished.Reason.LENGTH;
      case CANCELLED -> Finished.Reason.CANCELLED;
    };
  }

  private static long micros(Duration time) {
    return time.toNanos() / 1000;
  }

  /** Rounded up: what is not zero stays so. */
  static int millis(Duration time) {
    return (int) Math.min(Integer.MAX_VALUE, time.plusNanos(999_999).toMillis());
  }
}
