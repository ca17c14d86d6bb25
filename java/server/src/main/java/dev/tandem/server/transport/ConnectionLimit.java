package dev.tandem.server.transport;

import io.netty.channel.Channel;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the connections of a server, over all its ports, so that there are never more than it can
 * bear. Who comes above the limit is told so in its protocol's words, and closed: that is the
 * initialiser's part.
 *
 * <pre>
 *   if (!connections.admit(channel)) {
 *     ... say so, close
 *     return;
 *   }
 * </pre>
 */
public final class ConnectionLimit {

  private final int most;
  private final AtomicInteger open = new AtomicInteger();

  /**
   * @param most connections at the same time
   * @throws IllegalArgumentException if that is none
   */
  public ConnectionLimit(int most) {
    if (most < 1) {
      throw new IllegalArgumentException("connections: %d are too few".formatted(most));
    }
    this.most = most;
  }

  /**
   * Whether a connection that has just come may stay; then it counts until it closes. Call it once
   * for each.
   */
  public boolean admit(Channel channel) {
    if (open.incrementAndGet() > most) {
      open.decrementAndGet();
      return false;
    }
    channel.closeFuture().addListener(closed -> open.decrementAndGet());
    return true;
  }

  /** Connections now. */
  public int open() {
    return open.get();
  }

  /** Connections that may be open at the same time. */
  public int most() {
    return most;
  }
}
