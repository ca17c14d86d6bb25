package dev.tandem.server.transport;

import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Makes the threads of requests wait while a channel has more to send than its peer reads (above
 * the high watermark of its write buffer, until it falls below the low one), so that a slow reader
 * costs neither memory nor anybody else's time. One for each channel.
 */
public final class WriteGate extends ChannelInboundHandlerAdapter {

  private final Duration patience;
  private final ReentrantLock lock = new ReentrantLock(); // virtual threads wait on it
  private final Condition changed = lock.newCondition();
  private volatile Channel channel;

  /**
   * @param patience how long a request waits until its peer has read enough
   */
  public WriteGate(Duration patience) {
    this.patience = patience;
  }

  /**
   * Returns when the channel takes more. For threads of requests; an event loop must not wait.
   *
   * @throws Refusal if the peer does not read in time, or has gone
   */
  public void await() {
    if (channel.isWritable()) {
      return;
    }
    long left = patience.toNanos();
    lock.lock();
    try {
      while (!channel.isWritable()) {
        requireActive();
        if (left <= 0) {
          throw Refusal.of(
              Problem.SLOW_READER,
              "the client did not read enough of what waits for it within %d ms"
                  .formatted(patience.toMillis()));
        }
        left =
            changed.awaitNanos(Math.min(left, TimeUnit.SECONDS.toNanos(1)))
                + left
                - Math.min(left, TimeUnit.SECONDS.toNanos(1));
      }
      requireActive();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the generation ends by itself
    } finally {
      lock.unlock();
    }
  }

  private void requireActive() {
    if (!channel.isActive()) {
      throw Refusal.of(Problem.UNAVAILABLE, "the connection is closed");
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    channel = context.channel();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    wake();
    context.fireChannelWritabilityChanged();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    wake();
    context.fireChannelInactive();
  }

  private void wake() {
    lock.lock();
    try {
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
