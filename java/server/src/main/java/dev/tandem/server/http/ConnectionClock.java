package dev.tandem.server.http;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * Gives each phase of a connection its time; when that is over, the {@link Expired} event goes up
 * the pipeline. Stands where bytes are seen, so that one byte begins a request; further bytes
 * prolong nothing, however slowly they come.
 */
final class ConnectionClock extends ChannelInboundHandlerAdapter {

  /** What a connection does. */
  enum Phase {
    /** Waits for a request. */
    IDLE,
    /** Reads a header. */
    HEAD,
    /** Reads a body. */
    BODY,
    /** A request is served: that takes as long as it takes. */
    SERVING,
    /** The client has to read the end of an answer. */
    SENDING,
    /** Nothing more will come; what the client still sends is dropped. */
    CLOSING
  }

  /** A phase has taken too long. */
  record Expired(Phase phase) {}

  private static final Duration LINGER = Duration.ofSeconds(2);

  private final Map<Phase, Duration> times;
  private Optional<Future<?>> timer = Optional.empty();
  private ChannelHandlerContext context;
  private Phase phase = Phase.IDLE;

  ConnectionClock(HttpOptions options) {
    times =
        Map.of(
            Phase.IDLE, options.times().idle(),
            Phase.HEAD, options.times().head(),
            Phase.BODY, options.times().body(),
            Phase.SENDING, options.times().slowReader(),
            Phase.CLOSING, LINGER);
  }

  /** Begins a phase, and its time; for the event loop. */
  void enter(Phase next) {
    timer.ifPresent(task -> task.cancel(false));
    phase = next;
    timer =
        Optional.ofNullable(times.get(next))
            .map(time ->
                context
                    .executor()
                    .schedule(
                        () -> context.fireUserEventTriggered(new Expired(next)),
                        time.toNanos(),
                        TimeUnit.NANOSECONDS));
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
    enter(Phase.IDLE);
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext removed) {
    timer.ifPresent(task -> task.cancel(false));
  }

  @Override
  public void channelInactive(ChannelHandlerContext inactive) {
    timer.ifPresent(task -> task.cancel(false));
    inactive.fireChannelInactive();
  }

  @Override
  public void channelRead(ChannelHandlerContext reading, Object message) {
    if (phase == Phase.IDLE) {
      enter(Phase.HEAD);
    }
    reading.fireChannelRead(message);
  }
}
