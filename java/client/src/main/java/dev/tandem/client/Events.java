package dev.tandem.client;

import java.util.ArrayDeque;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * What has come of a generation and was not taken yet: filled by the client's thread, emptied by
 * the consumer's. It takes all that it is given; when it is full it says so, and again when half of
 * that is taken.
 */
final class Events {

  private final int full;
  private final Runnable flow;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Queue<TokenEvent> events = new ArrayDeque<>();
  private Optional<TandemException> failure = Optional.empty();
  private boolean complete;
  private boolean stalled;

  /**
   * Empty.
   *
   * @param flow is called, by either thread, when {@link #isStalled} has changed
   */
  Events(int full, Runnable flow) {
    this.full = full;
    this.flow = flow;
  }

  /** One more; the last if there is nothing behind it. */
  void add(TokenEvent event, boolean last) {
    lock.lock();
    boolean turned;
    try {
      events.add(event);
      complete = last;
      changed.signalAll();
      turned = turn();
    } finally {
      lock.unlock();
    }
    if (turned) {
      flow.run();
    }
  }

  /** There will be no more. What is here can still be taken. */
  void fail(TandemException with) {
    lock.lock();
    try {
      if (!complete) {
        complete = true;
        failure = Optional.of(with);
        changed.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Nobody wants it any more. */
  void clear() {
    lock.lock();
    boolean turned;
    try {
      events.clear();
      turned = turn();
    } finally {
      lock.unlock();
    }
    if (turned) {
      flow.run();
    }
  }

  /** The next one if it is here. */
  Optional<TokenEvent> poll() {
    lock.lock();
    Optional<TokenEvent> next;
    boolean turned;
    try {
      next = Optional.ofNullable(events.poll());
      turned = turn();
    } finally {
      lock.unlock();
    }
    if (turned) {
      flow.run();
    }
    return next;
  }

  /** Waits until there is one, or nothing more comes; then {@link #poll} tells. */
  void await() throws InterruptedException {
    lock.lockInterruptibly();
    try {
      while (events.isEmpty() && !complete) {
        changed.await();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Whether all has been taken, and no more will come. */
  boolean isExhausted() {
    lock.lock();
    try {
      return complete && events.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  /** Why no more comes, unless it has come to its end. */
  Optional<TandemException> failure() {
    lock.lock();
    try {
      return failure;
    } finally {
      lock.unlock();
    }
  }

  /** Whether no more should come for now. */
  boolean isStalled() {
    lock.lock();
    try {
      return stalled;
    } finally {
      lock.unlock();
    }
  }

  private boolean turn() {
    boolean now = stalled ? events.size() > full / 2 : events.size() >= full;
    boolean turned = now != stalled;
    stalled = now;
    return turned;
  }
}
