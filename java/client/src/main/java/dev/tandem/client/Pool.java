package dev.tandem.client;

import dev.tandem.protocol.v1.ErrorCode;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * The connections of a client. A request goes to one that is at rest; else to a new one, if there
 * may be one more; else to the one with the fewest requests. Where none can be made it waits for a
 * while; attempts follow one another in pauses that grow. All methods are for the client's own
 * thread.
 */
final class Pool {

  private static final long SHARE_AFTER_MILLIS = 100;

  private final EventLoop loop;
  private final ClientOptions options;
  private final Connector connector;
  private final List<Connection> connections = new ArrayList<>();
  private final Deque<Call> waiting = new ArrayDeque<>();
  private int connecting;
  private int failures;
  private boolean resting;
  private Optional<TandemException> lastFailure = Optional.empty();
  private boolean closed;

  Pool(EventLoop loop, ClientOptions options, Connector connector) {
    this.loop = loop;
    this.options = options;
    this.connector = connector;
  }

  /** Makes the first connection, by one attempt. */
  Future<Connection> first() {
    connecting++;
    return connector.connect(this::changed).addListener((Future<Connection> made) -> made(made));
  }

  /** Sends a request as soon as there is a connection for it. */
  void submit(Call call) {
    if (closed) {
      call.fail(closedByUs());
      return;
    }
    call.begin();
    Optional<Connection> least = least();
    if (least.isPresent() && (least.get().load() == 0 || isFull())) {
      least.get().send(call);
      return;
    }
    waiting.add(call);
    call.waits(options.reconnectFor(), () -> outOfPatience(call));
    if (least.isPresent()) {
      loop.schedule(() -> share(call), SHARE_AFTER_MILLIS, TimeUnit.MILLISECONDS);
    }
    connect();
  }

  /** Ends all that there is. */
  void close() {
    closed = true;
    List.copyOf(connections).forEach(connection -> connection.close(closedByUs()));
    failWaiting(closedByUs());
  }

  private Optional<Connection> least() {
    return connections.stream()
        .filter(Connection::isUsable)
        .filter(connection -> connection.load() < connection.most())
        .min(Comparator.comparingInt(Connection::load))
        .or(() ->
            connections.stream()
                .filter(Connection::isUsable)
                .min(Comparator.comparingInt(Connection::load)));
  }

  /** Those that only finish what they have do not count. */
  private boolean isFull() {
    return usable() + connecting >= options.connections() || resting;
  }

  private long usable() {
    return connections.stream().filter(Connection::isUsable).count();
  }

  /** One attempt for each request that waits; after a failure one at a time. */
  private void connect() {
    while (!closed
        && !resting
        && connecting < (failures == 0 ? waiting.size() : 1)
        && usable() + connecting < options.connections()) {
      connecting++;
      connector.connect(this::changed).addListener((Future<Connection> made) -> made(made));
    }
  }

  private void made(Future<Connection> attempt) {
    connecting--;
    if (attempt.isSuccess()) {
      Connection connection = attempt.getNow();
      if (closed) {
        connection.close(closedByUs());
        return;
      }
      failures = 0;
      lastFailure = Optional.empty();
      if (connection.isOpen()) {
        connections.add(connection);
      }
      serve();
      return;
    }
    TandemException failure = (TandemException) attempt.cause();
    lastFailure = Optional.of(failure);
    failures++;
    if (usable() > 0) {
      serve();
    } else if (!failure.retry()) {
      failWaiting(failure);
    }
    rest(failure);
  }

  /** What waits goes to the connections that there are. */
  private void serve() {
    while (!waiting.isEmpty()) {
      Optional<Connection> least = least();
      if (least.isEmpty()) {
        connect();
        return;
      }
      if (least.get().load() > 0 && connecting > 0) {
        return; // one more is coming
      }
      Call call = waiting.poll();
      if (!call.hasEnded()) {
        least.get().send(call);
      }
    }
  }

  private void rest(TandemException failure) {
    if (resting || closed) {
      return;
    }
    resting = true;
    long pause = options.backoff().nanos(failures, ThreadLocalRandom.current());
    long told = failure.retryAfter().map(after -> after.toNanos()).orElse(0L);
    loop.schedule(
        () -> {
          resting = false;
          waiting.removeIf(Call::hasEnded);
          connect();
        },
        Math.max(pause, told),
        TimeUnit.NANOSECONDS);
  }

  /** A connection of its own takes too long: it goes to one that there is. */
  private void share(Call call) {
    if (!call.hasEnded()) {
      least().filter(connection -> waiting.remove(call)).ifPresent(least -> least.send(call));
    }
  }

  private void outOfPatience(Call call) {
    share(call);
    if (waiting.remove(call)) {
      call.fail(
          lastFailure.orElseGet(() ->
              TandemException.passing(
                  ErrorCode.UNAVAILABLE,
                  "cannot connect to %s within %d ms"
                      .formatted(options.address(), options.reconnectFor().toMillis()))));
    }
  }

  /** A connection takes no more requests. */
  private void changed(Connection connection) {
    if (!connection.isOpen()) {
      connections.remove(connection);
    }
    if (!waiting.isEmpty()) {
      connect();
    }
  }

  private void failWaiting(TandemException reason) {
    List<Call> all = List.copyOf(waiting);
    waiting.clear();
    all.forEach(call -> call.fail(reason));
  }

  private TandemException closedByUs() {
    return TandemException.lasting(ErrorCode.UNAVAILABLE, "the client is closed");
  }
}
