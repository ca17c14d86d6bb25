package dev.tandem.client;

import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.GenerateRequest;
import io.netty.channel.EventLoop;
import java.util.concurrent.RejectedExecutionException;

/** Brings what users ask to the client's own thread. */
final class Requests {

  private final EventLoop loop;
  private final ClientOptions options;
  private final Pool pool;

  Requests(EventLoop loop, ClientOptions options, Pool pool) {
    this.loop = loop;
    this.options = options;
    this.pool = pool;
  }

  EventLoop loop() {
    return loop;
  }

  ClientOptions options() {
    return options;
  }

  /** A generation that is under way. */
  GenerateCall generate(GenerateRequest request, Runnable news) {
    GenerateCall call = new GenerateCall(loop, options, request, news);
    submit(call);
    return call;
  }

  void submit(Call call) {
    try {
      loop.execute(() -> {
        try {
          pool.submit(call);
        } catch (RuntimeException e) { // a defect, but nobody shall wait for ever
          call.fail(TandemException.lasting(ErrorCode.INTERNAL, "a defect: " + e).because(e));
        }
      });
    } catch (RejectedExecutionException e) {
      throw new IllegalStateException("the client is closed", e);
    }
  }

  /** Its last answer is still to come. */
  void cancel(Call call) {
    later(call::cancel);
  }

  /** Nobody waits for its answers any more. */
  void abandon(GenerateCall call) {
    call.events().clear();
    abandon((Call) call);
  }

  /** Nobody waits for its answers any more. */
  void abandon(Call call) {
    later(() -> call.giveUp(TandemException.lasting(ErrorCode.UNAVAILABLE, "given up")));
  }

  /** Ends all that there is. */
  void close() {
    later(pool::close);
  }

  /** A client that is closed has ended all its requests. */
  private void later(Runnable task) {
    try {
      loop.execute(task);
    } catch (RejectedExecutionException e) {
      // As is wanted.
    }
  }
}
