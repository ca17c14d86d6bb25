package dev.tandem.client;

import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Welcome;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.EventLoop;
import io.netty.util.NetUtil;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * One attempt to connect: finds the server's addresses, tries one after the other until one takes
 * the connection, and waits for the greeting. All of it has the time of {@link
 * ClientOptions#connectTimeout}; of what is left of that, each address gets an equal part, so that
 * one which says nothing leaves some to the others. All methods are for the client's own thread.
 */
final class Attempt {

  private final Connector connector;
  private final ClientOptions options;
  private final EventLoop loop;
  private final Consumer<Connection> changed;
  private final Promise<Connection> ready;
  private final long millis;
  private final long began = System.nanoTime();
  private final Queue<InetAddress> untried = new ArrayDeque<>();
  private final Map<InetAddress, String> refusals = new LinkedHashMap<>();

  /**
   * Not yet begun.
   *
   * @param changed see {@link Connection}
   */
  Attempt(
      Connector connector, ClientOptions options, EventLoop loop, Consumer<Connection> changed) {
    this.connector = connector;
    this.options = options;
    this.loop = loop;
    this.changed = changed;
    ready = loop.newPromise();
    millis = Math.min(Integer.MAX_VALUE, options.connectTimeout().toMillis());
  }

  /** The connection, or a {@link TandemException}. */
  Future<Connection> connect(Lookup lookup) {
    Future<?> timer =
        after(() -> ready.tryFailure(failure("no address is found for " + millis + " ms")));
    lookup
        .addresses()
        .addListener((Future<List<InetAddress>> found) -> {
          timer.cancel(false);
          if (ready.isDone()) {
            return; // too late
          }
          if (found.isSuccess() && found.getNow().isEmpty()) {
            ready.setFailure(failure("no such host"));
          } else if (found.isSuccess()) {
            untried.addAll(found.getNow());
            tryNext();
          } else {
            ready.setFailure(failure(reason(found.cause())).because(found.cause()));
          }
        });
    return ready;
  }

  private void tryNext() {
    InetAddress address = untried.remove();
    int part = (int) Math.max(1, left() / (1 + untried.size()));
    Promise<Welcome> greeted = loop.newPromise();
    connector
        .open(address, part, greeted)
        .addListener((ChannelFuture opened) -> {
          if (opened.isSuccess()) {
            await(greeted, opened.channel());
            return;
          }
          Throwable cause = opened.cause();
          refusals.put(
              address,
              cause instanceof ConnectTimeoutException
                  ? "no answer for " + part + " ms"
                  : reason(cause));
          if (untried.isEmpty()) {
            ready.setFailure(failure(refusal()).because(cause));
          } else {
            tryNext();
          }
        });
  }

  private void await(Promise<Welcome> greeted, Channel channel) {
    Future<?> timer = after(() -> greeted.tryFailure(failure("no greeting for " + millis + " ms")));
    greeted.addListener((Future<Welcome> welcome) -> {
      timer.cancel(false);
      if (welcome.isSuccess()) {
        ready.setSuccess(connector.take(channel, welcome.getNow(), changed));
      } else {
        channel.close();
        ready.setFailure(welcome.cause());
      }
    });
  }

  /** When the time is over. */
  private Future<?> after(Runnable task) {
    return loop.schedule(task, left(), TimeUnit.MILLISECONDS);
  }

  private long left() {
    return millis - TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
  }

  /** Of every address why it is not this one; once, if that is the same for all. */
  private String refusal() {
    return refusals.values().stream().distinct().count() == 1
        ? refusals.values().iterator().next()
        : refusals.entrySet().stream()
            .map(refused ->
                refused.getValue() + " (" + NetUtil.toAddressString(refused.getKey()) + ")")
            .collect(Collectors.joining(", "));
  }

  private static String reason(Throwable cause) {
    return switch (cause) {
      case UnknownHostException e -> "no such host";
      // Netty puts the address into its own message.
      case SocketException e when e.getCause() != null -> e.getCause().getMessage();
      default -> Optional.ofNullable(cause.getMessage()).orElseGet(cause::toString);
    };
  }

  private TandemException failure(String why) {
    return TandemException.passing(
        ErrorCode.UNAVAILABLE, "cannot connect to %s: %s".formatted(options.address(), why));
  }
}
