package dev.tandem.text.chat;

import com.hubspot.jinjava.interpret.InterpretException;

/**
 * What is wrong with a template, thrown where it is found; who renders adds the place. It is of
 * Jinjava's own kind, since its nodes wrap any other.
 */
final class TemplateFault extends InterpretException {
  private static final long serialVersionUID = 1;

  private final boolean refusal;

  private TemplateFault(String message, boolean refusal) {
    super(message);
    this.refusal = refusal;
  }

  TemplateFault(String message) {
    this(message, false);
  }

  /** The template itself says that it cannot render this conversation. */
  static TemplateFault refusal(String message) {
    return new TemplateFault(message, true);
  }

  boolean isRefusal() {
    return refusal;
  }
}
