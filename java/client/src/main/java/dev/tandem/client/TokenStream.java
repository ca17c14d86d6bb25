package dev.tandem.client;

import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.Started;
import dev.tandem.protocol.v1.Token;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.concurrent.CancellationException;

/**
 * A generation, token by token, for one thread that waits for each. Any other may {@link #cancel}
 * it. To close it early cancels it. Methods that wait throw {@link TandemException} when the
 * generation fails, and {@link CancellationException} when their thread is interrupted.
 */
public final class TokenStream implements Iterable<Token>, AutoCloseable {

  private final GenerateCall call;
  private final Requests requests;
  private Optional<Token> next = Optional.empty();
  private Optional<Started> started = Optional.empty();
  private Optional<Finished> finished = Optional.empty();
  private boolean closed;

  TokenStream(GenerateCall call, Requests requests) {
    this.call = call;
    this.requests = requests;
  }

  /** The tokens that were not taken yet. Every call gives the same rest. */
  @Override
  public Iterator<Token> iterator() {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return advance();
      }

      @Override
      public Token next() {
        if (!advance()) {
          throw new NoSuchElementException("the generation has ended");
        }
        Token token = next.orElseThrow();
        next = Optional.empty();
        return token;
      }
    };
  }

  /** Waits until the server has accepted the request, and tells what it then knows. */
  public Started started() {
    while (started.isEmpty() && next.isEmpty() && finished.isEmpty()) {
      read();
    }
    return started.orElseGet(Started::getDefaultInstance);
  }

  /**
   * Waits for the end. Tokens that were not taken are lost. {@link Finished#getText} is the text
   * behind the last token: what was held back in case it began a stop string.
   */
  public Finished finished() {
    while (advance()) {
      next = Optional.empty();
    }
    return finished.orElseThrow();
  }

  /** Waits for the end, and gives the text from here to there. */
  public String text() {
    StringBuilder text = new StringBuilder();
    for (Token token : this) {
      text.append(token.getText());
    }
    return text.append(finished().getText()).toString();
  }

  /** Asks the server to end it. What is on its way still comes, then the end. */
  public void cancel() {
    requests.cancel(call);
  }

  @Override
  public void close() {
    if (finished.isEmpty()) {
      closed = true;
      requests.abandon(call);
    }
  }

  /** Whether as much has come as is kept, so that the connection is not read. */
  boolean isStalled() {
    return call.events().isStalled();
  }

  /** Makes the next token the next; false at the end. */
  private boolean advance() {
    while (next.isEmpty() && finished.isEmpty()) {
      read();
    }
    return next.isPresent();
  }

  /** Waits for one event. */
  private void read() {
    if (closed) {
      throw new IllegalStateException("the stream of tokens is closed");
    }
    await();
    switch (call.events().poll().orElseThrow(this::failure)) {
      case TokenEvent.Accepted accepted -> started = Optional.of(accepted.started());
      case TokenEvent.Generated generated -> next = Optional.of(generated.token());
      case TokenEvent.Ended ended -> finished = Optional.of(ended.finished());
    }
  }

  private void await() {
    try {
      call.events().await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      close();
      throw new CancellationException("interrupted; the generation is cancelled");
    }
  }

  /** With the stack of the thread that asked. */
  private TandemException failure() {
    TandemException failure = call.events().failure().orElseThrow();
    return failure.because(failure);
  }
}
