package dev.tandem.server.http;

import dev.tandem.server.transport.WriteGate;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.concurrent.Future;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Server-sent events (WHATWG HTML, 9.2). For many threads; after the last event nothing follows.
 *
 * <pre>
 * data: {...}\n\n
 * :\n\n               &lt;- a comment after some silence: proxies do not give up, nor do clients
 * data: [DONE]\n\n
 * </pre>
 */
final class EventStream {

  private static final byte[] COMMENT = ":\n\n".getBytes(StandardCharsets.US_ASCII);
  private static final Map<String, String> HEADERS =
      Map.of(
          "content-type",
          "text/event-stream; charset=utf-8",
          "cache-control",
          "no-store",
          "x-accel-buffering", // nginx would wait for more
          "no");

  private final Exchange exchange;
  private final WriteGate gate;
  private final Duration heartbeat;
  private final ReentrantLock lock = new ReentrantLock(); // virtual threads wait on it
  private boolean open; // guarded by lock
  private Optional<Future<?>> nextBeat = Optional.empty(); // guarded by lock
  private volatile long lastNanos;

  EventStream(Exchange exchange, Duration heartbeat) {
    this.exchange = exchange;
    this.gate = exchange.gate();
    this.heartbeat = heartbeat;
  }

  /** Sends the header. */
  void open() {
    lock.lock();
    try {
      open = exchange.beginParts(HEADERS);
      lastNanos = System.nanoTime();
      if (open) {
        beatIn(heartbeat.toNanos());
      }
    } finally {
      lock.unlock();
    }
    exchange.whenOver(this::stop); // also where the client has gone
  }

  /**
   * Sends an event, when the client has read enough of those before; takes over the buffer.
   *
   * @throws dev.tandem.server.request.Refusal if the client does not read, or has gone
   */
  void send(ByteBuf event) {
    try {
      gate.await();
    } catch (RuntimeException e) {
      event.release();
      throw e;
    }
    put(event);
  }

  private void put(ByteBuf event) {
    lock.lock();
    try {
      if (open) {
        exchange.part(event);
        lastNanos = System.nanoTime();
      } else {
        event.release();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Sends the last event, without waiting, and ends the answer; takes over the buffer. */
  void end(ByteBuf last) {
    lock.lock();
    try {
      if (open) {
        exchange.part(last);
        exchange.endParts();
        stop();
      } else {
        last.release();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Drops the connection, whose client would not read an end either. */
  void abort() {
    stop();
    exchange.channel().close();
  }

  /**
   * Nothing follows. The beat that is planned goes too, which would keep all of this until then.
   */
  private void stop() {
    lock.lock();
    try {
      open = false;
      nextBeat.ifPresent(beat -> beat.cancel(false));
      nextBeat = Optional.empty();
    } finally {
      lock.unlock();
    }
  }

  /** With the lock. */
  private void beatIn(long nanos) {
    nextBeat =
        Optional.of(
            exchange.channel().eventLoop().schedule(this::beat, nanos, TimeUnit.NANOSECONDS));
  }

  private void beat() {
    lock.lock();
    try {
      if (!open) {
        return;
      }
      long silence = System.nanoTime() - lastNanos;
      if (silence >= heartbeat.toNanos() && exchange.channel().isWritable()) {
        put(Unpooled.wrappedBuffer(COMMENT));
        silence = 0;
      }
      beatIn(Math.max(heartbeat.toNanos() - silence, TimeUnit.MILLISECONDS.toNanos(1)));
    } finally {
      lock.unlock();
    }
  }
}
