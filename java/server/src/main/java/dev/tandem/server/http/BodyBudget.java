package dev.tandem.server.http;

import java.util.concurrent.atomic.AtomicLong;

/**
 * The bytes that bodies, and large answers, of all connections may have together, so that many cost
 * no more.
 */
final class BodyBudget {

  private final long most;
  private final AtomicLong taken = new AtomicLong();

  BodyBudget(long most) {
    this.most = most;
  }

  /** Takes so many bytes, if that many are left. */
  boolean take(long bytes) {
    if (taken.addAndGet(bytes) <= most) {
      return true;
    }
    taken.addAndGet(-bytes);
    return false;
  }

  void giveBack(long bytes) {
    taken.addAndGet(-bytes);
  }

  long taken() {
    return taken.get();
  }
}
