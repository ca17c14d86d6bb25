package dev.tandem.cli;

import dev.tandem.engine.Generation;
import java.util.Optional;
import java.util.function.IntSupplier;

/** Tokens and speeds of a chat's answers. */
final class ChatReport {

  private final IntSupplier used;
  private final int capacity;
  private Optional<Generation> last = Optional.empty();
  private int answers;
  private long cached;
  private long read;
  private long generated;

  /**
   * Of a chat without answers.
   *
   * @param used tokens that are in the context now
   * @param capacity tokens that it holds
   */
  ChatReport(IntSupplier used, int capacity) {
    this.used = used;
    this.capacity = capacity;
  }

  /** Counts an answer. */
  void add(Generation generation) {
    last = Optional.of(generation);
    answers++;
    cached += generation.cachedTokens();
    read += generation.promptTokens();
    generated += generation.generatedTokens();
  }

  /** The last answer, on one line. */
  String last() {
    return last.map(generation ->
            "cached "
                + Quantities.plural(generation.cachedTokens(), "token")
                + " | "
                + GenerationReport.speeds("read", generation)
                + " | "
                + context())
        .orElseGet(() -> "none; " + context());
  }

  /** All of it. */
  String all(int messages) {
    return Quantities.plural(messages, "message")
        + "\nlast answer: "
        + last()
        + "\nall "
        + Quantities.plural(answers, "answer")
        + ": cached "
        + Quantities.plural(cached, "token")
        + " | read "
        + Quantities.plural(read, "token")
        + " | generated "
        + Quantities.plural(generated, "token");
  }

  private String context() {
    return "context " + used.getAsInt() + " of " + Quantities.plural(capacity, "token");
  }
}
