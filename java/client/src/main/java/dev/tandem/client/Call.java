package dev.tandem.client;

import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.ServerMessage;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * A request, from when it is asked until its last answer. All methods are for the client's own
 * thread.
 */
abstract class Call {

  private static final ServerMessage NEVER_SENT =
      ServerMessage.newBuilder()
          .setFinished(Finished.newBuilder().setReason(Finished.Reason.CANCELLED))
          .build();

  /** Long enough for the loop to read what has come, short enough for nobody to notice. */
  private static final Duration LAST_LOOK = Duration.ofMillis(10);

  private final EventLoop loop;
  private final ClientMessage request;
  private final ClientOptions options;
  private final Duration deadline;
  private Optional<Connection> connection = Optional.empty();
  private Optional<Future<?>> patienceTimer = Optional.empty();
  private Optional<Future<?>> answerTimer = Optional.empty();
  private Optional<Future<?>> deadlineTimer = Optional.empty();
  private long id;
  private boolean cancelled;
  private boolean ended;

  /**
   * Not yet asked.
   *
   * @param request all but its id
   * @param deadline from when it is begun; zero = none
   */
  Call(EventLoop loop, ClientOptions options, ClientMessage request, Duration deadline) {
    this.loop = loop;
    this.options = options;
    this.request = request;
    this.deadline = deadline;
  }

  /** An answer that is no failure. Returns whether it was the last. */
  abstract boolean answered(ServerMessage message);

  /** It has failed: no answer comes. */
  abstract void failed(TandemException failure);

  /** It has ended in the one way or the other. */
  void ended() {}

  /** From now on its deadline counts. */
  final void begin() {
    if (!deadline.isZero()) {
      deadlineTimer = Optional.of(after(deadline, () -> giveUp(deadlineExceeded())));
    }
  }

  /** It waits for a connection, up to so long. */
  final void waits(Duration patience, Runnable then) {
    patienceTimer = Optional.of(after(patience, then));
  }

  /** It is sent by this connection, as the request of this number. */
  final ClientMessage sent(Connection by, long number) {
    patienceTimer.ifPresent(timer -> timer.cancel(false));
    connection = Optional.of(by);
    id = number;
    expectAnswer();
    return request.toBuilder().setRequestId(number).build();
  }

  /** Something came for it. */
  final void receive(ServerMessage message) {
    if (ended) {
      return;
    }
    answerTimer.ifPresent(timer -> timer.cancel(false));
    answerTimer = Optional.empty();
    if (message.hasError()) {
      fail(TandemException.of(message.getError()));
    } else if (answered(message)) {
      end();
    }
  }

  /** Asks the server to end it; its last answer is still to come. */
  final void cancel() {
    if (ended || cancelled) {
      return;
    }
    cancelled = true;
    if (connection.isEmpty()) {
      receive(NEVER_SENT);
    } else {
      connection.get().sendCancel(id);
      expectAnswer();
    }
  }

  final boolean hasEnded() {
    return ended;
  }

  /** Ends it here, and at the server if it is there. */
  final void giveUp(TandemException reason) {
    if (!ended) {
      connection.ifPresent(by -> by.sendCancel(id));
      fail(reason);
    }
  }

  /** Ends it with a failure. */
  final void fail(TandemException failure) {
    if (!ended) {
      end();
      failed(failure);
    }
  }

  final Optional<Connection> connection() {
    return connection;
  }

  private void end() {
    ended = true;
    patienceTimer.ifPresent(timer -> timer.cancel(false)); // which else keeps all of it in memory
    answerTimer.ifPresent(timer -> timer.cancel(false));
    deadlineTimer.ifPresent(timer -> timer.cancel(false));
    connection.ifPresent(by -> by.forget(id));
    ended();
  }

  private void expectAnswer() {
    answerTimer.ifPresent(timer -> timer.cancel(false));
    answerTimer = Optional.of(after(options.answerTimeout(), this::lookOnceMore));
  }

  /**
   * The time is over by the clock. A process that was stopped meanwhile may have its answer in the
   * socket: the loop reads sockets before it comes to what is due later.
   */
  private void lookOnceMore() {
    answerTimer = Optional.of(after(LAST_LOOK, () -> giveUp(noAnswer())));
  }

  private Future<?> after(Duration time, Runnable then) {
    return loop.schedule(then, time.toNanos(), TimeUnit.NANOSECONDS);
  }

  private TandemException noAnswer() {
    boolean unread = connection.filter(Connection::isPaused).isPresent();
    return TandemException.passing(
        ErrorCode.DEADLINE_EXCEEDED,
        (unread
                ? "no answer from %s is read for %d ms: the consumer of another generation on the"
                    + " same connection does not keep up"
                : "%s does not answer: nothing for %d ms")
            .formatted(options.address(), options.answerTimeout().toMillis()));
  }

  private TandemException deadlineExceeded() {
    return TandemException.passing(
        ErrorCode.DEADLINE_EXCEEDED,
        "the deadline of %d ms is over".formatted(deadline.toMillis()));
  }
}
