package dev.tandem.client;

import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.ServerMessage;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;

/** A generation whose events are kept until a consumer takes them. */
final class GenerateCall extends Call {

  private final EventLoop loop;
  private final Events events;
  private final Runnable news;
  private boolean reading = true;

  /**
   * Not yet asked.
   *
   * @param news called on the client's thread when there is something to take, or all is over
   */
  GenerateCall(EventLoop loop, ClientOptions options, GenerateRequest request, Runnable news) {
    super(
        loop,
        options,
        ClientMessage.newBuilder().setGenerate(request).build(),
        deadline(request.getDeadlineMillis()));
    this.loop = loop;
    this.news = news;
    this.events = new Events(options.bufferedEvents(), this::flow);
  }

  /** Beyond what a clock can count, none. */
  private static Duration deadline(long millis) {
    return millis < 0 || millis > Integer.MAX_VALUE * 1000L
        ? Duration.ZERO
        : Duration.ofMillis(millis);
  }

  Events events() {
    return events;
  }

  @Override
  boolean answered(ServerMessage message) {
    switch (message.getBodyCase()) {
      case STARTED -> events.add(new TokenEvent.Accepted(message.getStarted()), false);
      case TOKEN -> events.add(new TokenEvent.Generated(message.getToken()), false);
      case FINISHED -> events.add(new TokenEvent.Ended(message.getFinished()), true);
      case BODY_NOT_SET -> {} // something that a newer server tells beside
      default ->
          throw TandemException.lasting(
              ErrorCode.UNSUPPORTED,
              "the server answered a generation by " + message.getBodyCase());
    }
    news.run();
    return message.hasFinished();
  }

  @Override
  void failed(TandemException failure) {
    events.fail(failure);
    news.run();
  }

  @Override
  void ended() {
    if (!reading) { // nothing more comes for it; others shall go on
      reading = true;
      connection().ifPresent(Connection::resume);
    }
  }

  /** The buffer is full, or no longer. */
  private void flow() {
    if (loop.inEventLoop()) {
      steer();
    } else {
      try {
        loop.execute(this::steer);
      } catch (RejectedExecutionException e) {
        // The client is closed: there is nothing to steer, and what is here can still be taken.
      }
    }
  }

  private void steer() {
    boolean wanted = hasEnded() || !events.isStalled();
    if (wanted == reading) {
      return;
    }
    reading = wanted;
    if (wanted) {
      connection().ifPresent(Connection::resume);
    } else {
      connection().ifPresent(Connection::pause);
    }
  }
}
