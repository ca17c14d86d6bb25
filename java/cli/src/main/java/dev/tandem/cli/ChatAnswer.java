package dev.tandem.cli;

import dev.tandem.engine.Generation;

/**
 * What the model said to a message.
 *
 * @param text as far as it came
 * @param generation how it came
 * @param filledContext whether it ended because the context is full
 * @param leaves whether Ctrl-C was pressed once more, to leave
 */
record ChatAnswer(String text, Generation generation, boolean filledContext, boolean leaves) {

  /** Whether it was stopped before it began. */
  boolean isNothing() {
    return text.isEmpty() && generation.reason() == Generation.Reason.CANCELLED;
  }
}
