package dev.tandem.text.chat;

/** What a rendering may still do; every step pays, so that each one ends. */
final class Budget {
  private static final int PAYMENTS_PER_LOOK_AT_THE_CLOCK = 256;

  private final Limits limits;
  private final long longestText;
  private final long deadlineNanos;
  private long work;
  private int depth;
  private int payments;

  /**
   * A budget that begins to run now.
   *
   * @param given characters of the conversation
   */
  Budget(Limits limits, long given) {
    this.limits = limits;
    longestText = limits.output() + 4 * given;
    work = limits.work() + 256 * given;
    deadlineNanos = System.nanoTime() + limits.time().toNanos();
  }

  /** Pays for work. */
  void pay(long amount) {
    work -= 1 + amount;
    if (work < 0) {
      throw new TemplateFault("the template does more work than a chat template may");
    }
    if (++payments % PAYMENTS_PER_LOOK_AT_THE_CLOCK == 0 || amount > 100_000) {
      if (System.nanoTime() - deadlineNanos > 0) {
        throw new TemplateFault(
            "the template takes longer than " + limits.time().toMillis() + " ms");
      }
    }
  }

  /** Pays for a text that is about to be made. */
  void payText(long characters) {
    requireText(characters);
    pay(characters);
  }

  /** Rejects a text that is too long, for one that grows and is paid for otherwise. */
  void requireText(long characters) {
    if (characters > longestText) {
      throw new TemplateFault("a text of " + characters + " characters is too long");
    }
  }

  /** Pays for a list that is about to be made. */
  void payList(long elements) {
    if (elements > limits.elements()) {
      throw new TemplateFault(
          "a list of " + elements + " elements is too long; at most " + limits.elements());
    }
    pay(elements);
  }

  /** Goes one or more levels deeper; {@link #leave} by as many. */
  void enter(int levels) {
    depth += levels;
    if (depth > limits.depth()) {
      throw new TemplateFault("tags, macros or expressions are nested too deep");
    }
  }

  void leave(int levels) {
    depth -= levels;
  }
}
