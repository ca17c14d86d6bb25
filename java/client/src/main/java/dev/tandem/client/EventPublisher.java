package dev.tandem.client;

import dev.tandem.protocol.v1.GenerateRequest;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Every subscriber gets a generation of its own, and no more events than it asked for. */
record EventPublisher(Requests requests, GenerateRequest request, Executor callbacks)
    implements Flow.Publisher<TokenEvent> {

  @Override
  public void subscribe(Flow.Subscriber<? super TokenEvent> subscriber) {
    new Subscription(subscriber).begin();
  }

  /** One subscriber's. What it is told, it is told by one thread at a time. */
  private final class Subscription implements Flow.Subscription {
    private final Flow.Subscriber<? super TokenEvent> subscriber;
    private final AtomicLong wanted = new AtomicLong();
    private final AtomicInteger news = new AtomicInteger();
    private volatile Optional<Throwable> wrong = Optional.empty();
    private volatile boolean over;
    private volatile GenerateCall call;

    Subscription(Flow.Subscriber<? super TokenEvent> subscriber) {
      this.subscriber = Objects.requireNonNull(subscriber);
    }

    void begin() {
      news.set(1); // nothing is delivered before onSubscribe has returned
      callbacks.execute(() -> {
        try {
          subscriber.onSubscribe(this);
          if (!over) {
            call = requests.generate(request, this::tell);
            if (over) {
              requests.abandon(call); // meanwhile
            }
          }
        } catch (RuntimeException e) {
          wrong = Optional.of(e);
        }
        deliver();
      });
    }

    @Override
    public void request(long more) {
      if (more <= 0) {
        wrong = Optional.of(new IllegalArgumentException(more + " events: ask for at least 1"));
      } else {
        wanted.accumulateAndGet(more, Subscription::sum);
      }
      tell();
    }

    @Override
    public void cancel() {
      if (over) {
        return;
      }
      over = true;
      GenerateCall begun = call;
      if (begun != null) {
        requests.abandon(begun);
      }
    }

    private void tell() {
      if (news.getAndIncrement() == 0) {
        callbacks.execute(this::deliver);
      }
    }

    /** All that can be told now; again if there is news meanwhile. */
    private void deliver() {
      int seen = news.get();
      do {
        try {
          deliverOnce();
        } catch (RuntimeException e) { // the subscriber's own: nobody is left to tell
          cancel();
        } catch (Error e) {
          cancel();
          throw e;
        }
        seen = news.addAndGet(-seen);
      } while (seen != 0);
    }

    private void deliverOnce() {
      if (over) {
        return;
      }
      if (wrong.isPresent()) {
        cancel();
        subscriber.onError(wrong.get());
        return;
      }
      Events events = call.events();
      while (wanted.get() > 0 && !over) {
        Optional<TokenEvent> event = events.poll();
        if (event.isEmpty()) {
          break;
        }
        if (wanted.get() != Long.MAX_VALUE) {
          wanted.decrementAndGet();
        }
        subscriber.onNext(event.get());
      }
      if (!over && events.isExhausted()) {
        over = true;
        events.failure().ifPresentOrElse(subscriber::onError, subscriber::onComplete);
      }
    }

    /** Long.MAX_VALUE is without end. */
    private static long sum(long one, long other) {
      long sum = one + other;
      return sum < 0 ? Long.MAX_VALUE : sum;
    }
  }
}
