package dev.tandem.server.http;

import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.time.Duration;
import java.util.Optional;

/** A request that is not served: as HTTP and OpenAI's clients know it. No secret is in it. */
final class HttpFailure extends RuntimeException {

  private final HttpResponseStatus status;
  private final String type;
  private final String code;
  private final transient Optional<String> parameter;
  private final Duration retryAfter;

  private HttpFailure(
      HttpResponseStatus status,
      String type,
      String code,
      String message,
      Optional<String> parameter,
      Duration retryAfter) {
    super(message, null, false, false); // no stack trace: it is an answer, not a defect
    this.status = status;
    this.type = type;
    this.code = code;
    this.parameter = parameter;
    this.retryAfter = retryAfter;
  }

  /** What the protocol itself forbids. */
  static HttpFailure of(HttpResponseStatus status, String code, String message) {
    return new HttpFailure(status, type(status), code, message, Optional.empty(), Duration.ZERO);
  }

  /** All memory for bodies and answers is taken; that passes. */
  static HttpFailure overloaded(String message) {
    return of(HttpResponseStatus.SERVICE_UNAVAILABLE, "server_overloaded", message)
        .retryAfter(Duration.ofSeconds(1));
  }

  /** Wrong, whenever it comes. */
  static HttpFailure invalid(String parameter, String message) {
    return of(Refusal.of(Problem.INVALID_ARGUMENT, parameter, message));
  }

  /** Not there, or not yet. */
  static HttpFailure unsupported(String parameter, String message) {
    return of(Refusal.of(Problem.UNSUPPORTED, parameter, message));
  }

  static HttpFailure of(Refusal refusal) {
    HttpResponseStatus status = status(refusal.problem());
    return new HttpFailure(
        status,
        type(status),
        code(refusal.problem()),
        refusal.getMessage(),
        refusal.parameter(),
        refusal.retryAfter());
  }

  /** The same, about another parameter: what the client calls it. */
  HttpFailure about(String name) {
    return new HttpFailure(status, type, code, getMessage(), Optional.of(name), retryAfter);
  }

  /** The same, after which the client should wait. */
  HttpFailure retryAfter(Duration wait) {
    return new HttpFailure(status, type, code, getMessage(), parameter, wait);
  }

  private static HttpResponseStatus status(Problem problem) {
    return switch (problem) {
      case INVALID_ARGUMENT, UNSUPPORTED, CONTEXT_EXCEEDED -> HttpResponseStatus.BAD_REQUEST;
      case UNAUTHENTICATED -> HttpResponseStatus.UNAUTHORIZED;
      case PERMISSION_DENIED -> HttpResponseStatus.FORBIDDEN;
      case OVERLOADED, LIMIT_EXCEEDED -> HttpResponseStatus.TOO_MANY_REQUESTS;
      case LOADING, UNAVAILABLE -> HttpResponseStatus.SERVICE_UNAVAILABLE;
      case DEADLINE_EXCEEDED -> HttpResponseStatus.GATEWAY_TIMEOUT;
      case SLOW_READER -> HttpResponseStatus.REQUEST_TIMEOUT;
      case INTERNAL -> HttpResponseStatus.INTERNAL_SERVER_ERROR;
    };
  }

  /** The names that OpenAI's clients look for, where there is one. */
  private static String code(Problem problem) {
    return switch (problem) {
      case INVALID_ARGUMENT -> "invalid_value";
      case UNSUPPORTED -> "unsupported_parameter";
      case CONTEXT_EXCEEDED -> "context_length_exceeded";
      case UNAUTHENTICATED -> "invalid_api_key";
      case PERMISSION_DENIED -> "permission_denied";
      case OVERLOADED -> "server_overloaded";
      case LIMIT_EXCEEDED -> "limit_exceeded";
      case LOADING -> "model_loading";
      case UNAVAILABLE -> "server_unavailable";
      case DEADLINE_EXCEEDED -> "deadline_exceeded";
      case SLOW_READER -> "slow_reader";
      case INTERNAL -> "internal_error";
    };
  }

  private static String type(HttpResponseStatus status) {
    return switch (status.code()) {
      case 401 -> "authentication_error";
      case 403 -> "permission_error";
      case 429 -> "rate_limit_error";
      default -> status.code() < 500 ? "invalid_request_error" : "server_error";
    };
  }

  HttpResponseStatus status() {
    return status;
  }

  String type() {
    return type;
  }

  String code() {
    return code;
  }

  Optional<String> parameter() {
    return parameter;
  }

  /** When to try again; zero = unknown, or never. */
  Duration retryAfter() {
    return retryAfter;
  }
}
