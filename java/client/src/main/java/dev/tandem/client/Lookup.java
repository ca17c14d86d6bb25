package dev.tandem.client;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.RejectedExecutionException;

/**
 * Finds the server's addresses. The system blocks its caller for as long as name servers do not
 * answer, so this is done on a thread of its own; not on a virtual one, since such a call keeps one
 * of the few threads that carry those. Who asks while it is under way gets the same answer: no more
 * than one thread waits, however often connections are tried.
 */
final class Lookup {

  /** Knows the addresses of a host, at least one; may block. */
  @FunctionalInterface
  interface Resolver {
    InetAddress[] addresses(String host) throws UnknownHostException;
  }

  private final EventLoop loop;
  private final String host;
  private final Resolver resolver;
  private Optional<Promise<List<InetAddress>>> underWay = Optional.empty();

  Lookup(EventLoop loop, String host, Resolver resolver) {
    this.loop = loop;
    this.host = host;
    this.resolver = resolver;
  }

  /** All addresses, the best first. For the client's own thread, on which the answer comes. */
  Future<List<InetAddress>> addresses() {
    return underWay.orElseGet(this::begin);
  }

  private Promise<List<InetAddress>> begin() {
    Promise<List<InetAddress>> found = loop.newPromise();
    try {
      Thread.ofPlatform().daemon().name("tandem-lookup").start(() -> look(found));
      underWay = Optional.of(found);
    } catch (OutOfMemoryError e) { // too many threads: for now
      found.setFailure(e);
    }
    return found;
  }

  private void look(Promise<List<InetAddress>> found) {
    try {
      List<InetAddress> addresses = List.of(resolver.addresses(host));
      tell(() -> found.setSuccess(addresses));
    } catch (UnknownHostException | RuntimeException | Error e) {
      tell(() -> found.setFailure(e));
    }
  }

  private void tell(Runnable answer) {
    try {
      loop.execute(() -> {
        underWay = Optional.empty();
        answer.run();
      });
    } catch (RejectedExecutionException e) {
      // The client is closed: nobody waits.
    }
  }
}
