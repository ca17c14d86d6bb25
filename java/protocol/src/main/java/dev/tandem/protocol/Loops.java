package dev.tandem.protocol;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.ImmediateEventExecutor;
import java.time.Duration;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The threads that read and write, and all that they read from and write to: when they end, each
 * socket has been closed.
 *
 * <p>Netty's own shutdown does not promise that where no quiet time is asked for: a loop that hears
 * of it behind its look for it, and before it asks itself whether to end, ends with its sockets
 * open (4.2.20, {@code SingleThreadIoEventLoop.run}). The other side would wait for ever.
 */
public final class Loops implements AutoCloseable {

  /** How long each part of the end may take. */
  private static final Duration LONGEST_CLOSE = Duration.ofSeconds(5);

  private final EventLoopGroup group;
  private final ReentrantLock ending = new ReentrantLock();

  // What comes when all are being closed is closed too. Nobody listens to the group's own futures.
  private final ChannelGroup channels =
      new DefaultChannelGroup(ImmediateEventExecutor.INSTANCE, true);

  /** So many threads, made as they are needed. */
  public Loops(int threads, ThreadFactory factory) {
    group = new MultiThreadIoEventLoopGroup(threads, factory, NioIoHandler.newFactory());
  }

  /** The threads. */
  public EventLoopGroup group() {
    return group;
  }

  /** What opens ports; {@code handler} is the beginning of each of their connections. */
  public ServerBootstrap server(ChannelHandler handler) {
    return new ServerBootstrap()
        .group(group)
        .channel(NioServerSocketChannel.class)
        .handler(keeping())
        .childHandler(keeping(handler));
  }

  /**
   * What connects, to addresses and not to names: to find those would block the threads. {@code
   * handler} is the beginning of the connection.
   */
  public Bootstrap client(ChannelHandler handler) {
    return new Bootstrap()
        .group(group)
        .channel(NioSocketChannel.class)
        .disableResolver()
        .handler(keeping(handler));
  }

  private ChannelInitializer<Channel> keeping(ChannelHandler... handlers) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        channels.add(channel);
        channel.pipeline().addLast(handlers);
      }
    };
  }

  /**
   * Closes ports and connections, and ends the threads; returns when that has happened, also where
   * somebody else has begun it. What was written from other threads before goes as far as the
   * sockets take it.
   *
   * @throws IllegalStateException on one of these threads, which would wait for itself
   */
  @Override
  public void close() {
    for (EventExecutor loop : group) {
      if (loop.inEventLoop()) {
        throw new IllegalStateException(
            "what a thread that reads and writes belongs to cannot be closed by it: close it on"
                + " another one");
      }
    }
    ending.lock(); // once the threads have ended, they take no task
    try {
      if (!group.isShuttingDown()) {
        end();
      }
    } finally {
      ending.unlock();
    }
    group.terminationFuture().awaitUninterruptibly();
  }

  private void end() {
    for (EventExecutor loop : group) {
      loop.submit(() -> {}).awaitUninterruptibly(LONGEST_CLOSE.toMillis());
    }
    channels.close().awaitUninterruptibly(LONGEST_CLOSE.toMillis());
    group.shutdownGracefully(0, LONGEST_CLOSE.toMillis(), TimeUnit.MILLISECONDS);
  }
}
