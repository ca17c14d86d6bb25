package dev.tandem.server.request;

/** What can be wrong with a request: each protocol has its own word for each. */
public enum Problem {
  /** The request is wrong, whenever it comes. */
  INVALID_ARGUMENT(false),
  /** Asks for what does not exist here. */
  UNSUPPORTED(false),
  UNAUTHENTICATED(false),
  PERMISSION_DENIED(false),
  /** Prompt, or prompt and answer, can never fit. */
  CONTEXT_EXCEEDED(false),
  /** Too many wait. */
  OVERLOADED(true),
  /** The model is being loaded. */
  LOADING(true),
  DEADLINE_EXCEEDED(true),
  /** The peer did not read what it asked for. */
  SLOW_READER(true),
  /** More than a connection, or all of them, may have. */
  LIMIT_EXCEEDED(true),
  /** The server is ending. */
  UNAVAILABLE(true),
  /** A defect, or the device failed. */
  INTERNAL(false);

  private final boolean retry;

  Problem(boolean retry) {
    this.retry = retry;
  }

  /** Whether the same request can succeed later. */
  public boolean retry() {
    return retry;
  }
}
