package dev.tandem.server.request;

import java.time.Duration;
import java.util.Optional;

/** A request that is not served, or no further. Its message is for the peer: no secret is in it. */
public final class Refusal extends RuntimeException {

  private final Problem problem;
  private final transient Optional<String> parameter;
  private final Duration retryAfter;

  private Refusal(
      Problem problem, String message, Optional<String> parameter, Duration retryAfter) {
    super(message, null, false, false); // no stack trace: it is an answer, not a defect
    this.problem = problem;
    this.parameter = parameter;
    this.retryAfter = retryAfter;
  }

  public static Refusal of(Problem problem, String message) {
    return new Refusal(problem, message, Optional.empty(), Duration.ZERO);
  }

  /** One that is about a parameter, by the name that the peer knows it by. */
  public static Refusal of(Problem problem, String parameter, String message) {
    return new Refusal(problem, message, Optional.of(parameter), Duration.ZERO);
  }

  /** One after which the peer should wait. */
  public Refusal retryAfter(Duration wait) {
    return new Refusal(problem, getMessage(), parameter, wait);
  }

  public Problem problem() {
    return problem;
  }

  /** What it is about, if that is one parameter. */
  public Optional<String> parameter() {
    return parameter;
  }

  /** When to try again; zero = unknown, or never. */
  public Duration retryAfter() {
    return retryAfter;
  }
}
