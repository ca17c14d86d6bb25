package dev.tandem.server.http;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.Order;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.request.Reply;
import dev.tandem.server.request.Ticket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;

/**
 * The texts of one request on their way: an order each. They are accepted together or not at all,
 * and when one fails, all do.
 */
final class Completion {

  private final Desk desk;
  private final HttpCall call;
  private final CompletionRequest request;
  private final CompletionSink sink;
  private final CountDownLatch accepted = new CountDownLatch(1);
  private final List<Ticket> tickets = new ArrayList<>(); // guarded by this
  private boolean over; // guarded by this: nobody waits for more
  private int unfinished; // guarded by this
  private Usage usage = Usage.NONE; // guarded by this

  Completion(Desk desk, HttpCall call, CompletionRequest request, CompletionSink sink) {
    this.desk = desk;
    this.call = call;
    this.request = request;
    this.sink = sink;
    this.unfinished = request.choices();
  }

  /** Gives the orders to the desk, and returns; the rest happens on the orders' threads. */
  void start() {
    call.exchange().whenOver(this::giveUp);
    try {
      for (int choice = 0; choice < request.choices(); choice++) {
        add(desk.submit(order(choice), new Choice(choice)));
      }
      sink.open();
    } catch (Refusal e) {
      fail(e);
    } finally {
      accepted.countDown();
    }
  }

  private Order order(int choice) {
    GenerationOptions options = request.options();
    SamplingOptions sampling = options.sampling();
    String id = request.choices() == 1 ? call.id() : call.id() + "-" + choice;
    return new Order(
        id,
        call.caller().forClient(request.client()),
        request.prompt(choice).ids(),
        new GenerationOptions(
            options.maxTokens(),
            sampling.withSeed(sampling.seed() + choice % request.n()),
            options.ignoreEnd(),
            options.stop(),
            options.logProbabilities()),
        request.maxTokens(),
        Math.min(0, call.caller().highestPriority()),
        Duration.ZERO,
        "http");
  }

  private void add(Ticket ticket) {
    boolean late;
    synchronized (this) {
      tickets.add(ticket);
      late = over;
    }
    if (late) {
      ticket.cancel();
    }
  }

  /** Ends all texts; false if that has been done. */
  private boolean giveUp() {
    List<Ticket> all;
    synchronized (this) {
      if (over) {
        return false;
      }
      over = true;
      all = List.copyOf(tickets);
    }
    all.forEach(Ticket::cancel);
    return true;
  }

  private void fail(Refusal refusal) {
    if (giveUp()) {
      sink.fail(named(HttpFailure.of(refusal)));
    }
  }

  /** The desk's names of parameters are not always the client's. */
  private HttpFailure named(HttpFailure failure) {
    return switch (failure.parameter().orElse("")) {
      case "prompt" -> failure.about(request.promptName());
      case "max_tokens" ->
          failure.about(
              request.maxTokens().isPresent() ? request.lengthName() : request.promptName());
      default -> failure;
    };
  }

  private void end(int choice, Outcome outcome) {
    sink.end(choice, outcome); // all of it is said before the text counts as finished
    boolean isLast;
    Usage total;
    synchronized (this) {
      usage = usage.plus(outcome, choice % request.n() == 0);
      isLast = --unfinished == 0 && !over;
      total = usage;
    }
    if (isLast) {
      sink.complete(total);
    }
  }

  /** Hears of one text. */
  private final class Choice implements Reply {
    private final int index;

    Choice(int index) {
      this.index = index;
    }

    @Override
    public void started() {
      try {
        accepted.await();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt(); // the generation ends by itself
      }
    }

    @Override
    public void token(int id, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
      sink.token(index, utf8, length, probabilities);
    }

    @Override
    public void finished(Outcome outcome) {
      if (outcome.generation().reason() == Generation.Reason.CANCELLED) {
        fail(Refusal.of(Problem.UNAVAILABLE, "the server is ending")); // nobody else cancels
        return;
      }
      try {
        end(index, outcome);
      } catch (Refusal e) { // the client does not read the end either
        fail(e);
      } catch (Throwable e) { // the log tells it; the client does not wait for ever
        fail(Refusal.of(Problem.INTERNAL, "the answer could not be written: see the server's log"));
        throw e;
      }
    }

    @Override
    public void failed(Refusal refusal) {
      fail(refusal);
    }
  }
}
