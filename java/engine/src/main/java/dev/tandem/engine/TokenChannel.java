package dev.tandem.engine;

import dev.tandem.engine.sample.TokenProbabilities;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;

/**
 * What one generation tells, on its way from the engine's thread to the thread that asked for it: a
 * ring of events. A listener that is slow fills it, and then its generation waits; nobody else
 * does. Allocates nothing per event once its arrays have their size.
 */
final class TokenChannel {

  /** What happened. */
  enum Kind {
    /** More of the prompt has been read. */
    PROMPT,
    /** A token was generated; with it comes the text that it completes. */
    TOKEN,
    /** The generation ended, with the rest of the text. */
    END
  }

  /** One event; belongs to the channel and is used again. */
  static final class Event {
    Kind kind;
    int value; // tokens in the cache, or the token's id
    byte[] text = new byte[32];
    int textLength;
    Optional<TokenProbabilities> probabilities = Optional.empty();
    Optional<Result> result = Optional.empty(); // at the end
    Optional<RuntimeException> failure = Optional.empty();

    void clear(Kind kind, int value) {
      this.kind = kind;
      this.value = value;
      textLength = 0;
      probabilities = Optional.empty();
      result = Optional.empty();
      failure = Optional.empty();
    }

    void append(byte[] utf8, int offset, int length) {
      if (textLength + length > text.length) {
        text = Arrays.copyOf(text, Math.max(textLength + length, 2 * text.length));
      }
      System.arraycopy(utf8, offset, text, textLength, length);
      textLength += length;
    }
  }

  /**
   * How a generation ended, as the engine's thread knows it.
   *
   * @param generated tokens, heard or not
   * @param beganNanos when its first step began (System.nanoTime); else the end
   * @param firstNanos when the first token was sampled; else the end
   * @param endNanos when it ended
   */
  record Result(
      Generation.Reason reason,
      Optional<String> stop,
      int generated,
      long beganNanos,
      long firstNanos,
      long endNanos) {}

  private static final int CAPACITY = 64;
  // What one step can add: how far the prompt is, a token, and the end.
  private static final int ADDED_AT_ONCE = 3;

  private final Event[] ring = new Event[CAPACITY];
  private final Runnable roomAgain;
  private volatile int taken; // by the listener's thread
  private volatile int added; // by the engine's thread
  private volatile Thread reader; // while it sleeps
  private volatile boolean full;

  /**
   * @param roomAgain called when a step's events fit again after they did not
   */
  TokenChannel(Runnable roomAgain) {
    this.roomAgain = roomAgain;
    Arrays.setAll(ring, i -> new Event());
  }

  // ---- the engine's thread ----

  /** Whether a step's events fit. */
  boolean hasRoom() {
    if (CAPACITY - (added - taken) >= ADDED_AT_ONCE) {
      return true;
    }
    full = true; // then look again: the listener may just have made room
    return CAPACITY - (added - taken) >= ADDED_AT_ONCE;
  }

  /** The next event to fill in. */
  Event next(Kind kind, int value) {
    Event event = ring[added % CAPACITY];
    event.clear(kind, value);
    return event;
  }

  /** Makes the event visible. */
  void publish() {
    added = added + 1;
    Thread sleeping = reader;
    if (sleeping != null) {
      LockSupport.unpark(sleeping);
    }
  }

  // ---- the listener's thread ----

  /**
   * The oldest event; waits for it. Valid until {@link #release}.
   *
   * @return null if the thread was interrupted before there was one; it stays interrupted
   */
  Event await() {
    while (added == taken) {
      reader = Thread.currentThread();
      if (added == taken && !Thread.currentThread().isInterrupted()) {
        LockSupport.park(this);
      }
      reader = null;
      if (added == taken && Thread.currentThread().isInterrupted()) {
        return null;
      }
    }
    return ring[taken % CAPACITY];
  }

  /** The oldest event has been used. */
  void release() {
    taken = taken + 1;
    if (full && CAPACITY - (added - taken) >= CAPACITY / 2) {
      full = false;
      roomAgain.run();
    }
  }
}
