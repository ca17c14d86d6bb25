package dev.tandem.client;

import dev.tandem.protocol.v1.Error;
import dev.tandem.protocol.v1.ErrorCode;
import java.time.Duration;
import java.util.Optional;

/** A request failed, or the connection that it needs. */
public final class TandemException extends RuntimeException {

  private static final long serialVersionUID = 1;

  private final ErrorCode code;
  private final boolean retry;
  private final long retryAfterMillis;

  private TandemException(
      ErrorCode code, String message, boolean retry, long retryAfterMillis, Throwable cause) {
    super(message, cause);
    this.code = code;
    this.retry = retry;
    this.retryAfterMillis = retryAfterMillis;
  }

  /** What the server answered. */
  static TandemException of(Error error) {
    return new TandemException(
        error.getCode(),
        error.getMessage(),
        error.getRetry(),
        Integer.toUnsignedLong(error.getRetryAfterMillis()),
        null);
  }

  /** The same request can succeed later. */
  static TandemException passing(ErrorCode code, String message) {
    return new TandemException(code, message, true, 0, null);
  }

  /** The same request will fail again. */
  static TandemException lasting(ErrorCode code, String message) {
    return new TandemException(code, message, false, 0, null);
  }

  /** The same because of that. */
  TandemException because(Throwable cause) {
    return new TandemException(code, getMessage(), retry, retryAfterMillis, cause);
  }

  /** What is wrong: the server's word, or this side's own, in the same terms. */
  public ErrorCode code() {
    return code;
  }

  /** Whether the same request can succeed later. */
  public boolean retry() {
    return retry;
  }

  /** When to try again, where the server told. */
  public Optional<Duration> retryAfter() {
    return retryAfterMillis == 0
        ? Optional.empty()
        : Optional.of(Duration.ofMillis(retryAfterMillis));
  }
}
