package dev.tandem.client;

import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.Started;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;

/**
 * Collects a generation into a {@link Completion}. To cancel the future, or to complete it
 * otherwise, cancels it.
 */
final class Collecting implements Flow.Subscriber<TokenEvent> {

  private final CompletableFuture<Completion> done = new CompletableFuture<>();
  private final StringBuilder text = new StringBuilder();
  private Started started = Started.getDefaultInstance();
  private Finished finished = Finished.getDefaultInstance();

  CompletableFuture<Completion> done() {
    return done;
  }

  @Override
  public void onSubscribe(Flow.Subscription subscription) {
    done.whenComplete((completion, failure) -> subscription.cancel()); // by whomever
    subscription.request(Long.MAX_VALUE);
  }

  @Override
  public void onNext(TokenEvent event) {
    text.append(event.text());
    switch (event) {
      case TokenEvent.Accepted accepted -> started = accepted.started();
      case TokenEvent.Generated token -> {}
      case TokenEvent.Ended ended -> finished = ended.finished();
    }
  }

  @Override
  public void onError(Throwable failure) {
    done.completeExceptionally(failure);
  }

  @Override
  public void onComplete() {
    done.complete(new Completion(text.toString(), started, finished));
  }
}
