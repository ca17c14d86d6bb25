package dev.tandem.server.transport;

import io.netty.channel.Channel;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Counts the connections of a server, over all its ports, so that there are never more than it can
 * bear. Who comes above the limit is told so in its protocol's words, and closed: that is the
 * initialiser's part. To tell takes a while, for which the connection is there; so when many are
 * being told, further ones are closed without a word.
 *
 * <pre>
 *   if (!connections.admit(channel)) {
 *     if (connections.mayTell(channel)) {
 *       ... say so, close
 *     } else {
 *       ... close
 *     }
 *     return;
 *   }
 * </pre>
 */
public final class ConnectionLimit {

  /** Refused connections that are being told why, at the same time. */
  public static final int MOST_TOLD = 64;

  private final int most;
  private final Runnable refused;
  private final AtomicInteger open = new AtomicInteger();
  private final AtomicInteger told = new AtomicInteger();

  /**
   * @param most connections at the same time
   * @throws IllegalArgumentException if that is none
   */
  public ConnectionLimit(int most) {
    this(most, () -> {});
  }

  /**
   * @param most connections at the same time
   * @param refused hears of each connection above them
   * @throws IllegalArgumentException if that is none
   */
  public ConnectionLimit(int most, Runnable refused) {
    if (most < 1) {
      throw new IllegalArgumentException("connections: %d are too few".formatted(most));
    }
    this.most = most;
    this.refused = refused;
  }

  /**
   * Whether a connection that has just come may stay; then it counts until it closes. Call it once
   * for each.
   */
  public boolean admit(Channel channel) {
    boolean admitted = take(open, most, channel);
    if (!admitted) {
      refused.run();
    }
    return admitted;
  }

  /** Whether a connection that may not stay can be told so; else it is to be closed at once. */
  public boolean mayTell(Channel channel) {
    return take(told, MOST_TOLD, channel);
  }

  private static boolean take(AtomicInteger taken, int most, Channel channel) {
    if (taken.incrementAndGet() > most) {
      taken.decrementAndGet();
      return false;
    }
    channel.closeFuture().addListener(closed -> taken.decrementAndGet());
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
