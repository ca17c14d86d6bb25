package dev.tandem.runtime;

import java.util.Locale;

/**
 * A failure that native code reports: its kind, and a sentence that names thing, value and remedy.
 */
public final class RuntimeFailure extends RuntimeException {

  private static final long serialVersionUID = 1;

  /** The kinds of failure: {@code td_status} in tandem.h. */
  public enum Status {
    OK,
    INVALID_ARGUMENT,
    OUT_OF_MEMORY,
    ABORTED,
    FILE_CHANGED,
    NOT_FINITE,
    IO,
    UNSUPPORTED,
    INTERNAL,
    INTERRUPTED,
    DEVICE_LOST;

    private static final Status[] ALL = values();

    static Status of(long code) {
      return code >= 0 && code < ALL.length ? ALL[(int) code] : INTERNAL;
    }
  }

  private final Status status;

  RuntimeFailure(Status status, String message) {
    super(message.isEmpty() ? status.name().toLowerCase(Locale.ROOT) : message);
    this.status = status;
  }

  public Status status() {
    return status;
  }
}
