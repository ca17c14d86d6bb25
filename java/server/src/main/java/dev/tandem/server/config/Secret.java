package dev.tandem.server.config;

/** A text that nobody prints by accident. */
public final class Secret {

  private static final String HIDDEN = "(hidden)";

  private final String value;

  public Secret(String value) {
    this.value = value;
  }

  /** The text itself. */
  public String value() {
    return value;
  }

  @Override
  public String toString() {
    return HIDDEN;
  }
}
