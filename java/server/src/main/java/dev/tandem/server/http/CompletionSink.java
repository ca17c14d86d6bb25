package dev.tandem.server.http;

import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.server.request.Outcome;
import java.util.Optional;

/** Makes an answer of the texts of a request. Texts grow at the same time, each by one thread. */
interface CompletionSink {

  /** All texts have been accepted; none has begun. */
  void open();

  /**
   * A text has grown by a token.
   *
   * @param utf8 text that is complete with it at {@code [0, length)}; is reused
   */
  void token(int choice, byte[] utf8, int length, Optional<TokenProbabilities> probabilities);

  /** A text has come to its end. */
  void end(int choice, Outcome outcome);

  /** All texts have come to their ends. */
  void complete(Usage usage);

  /** There will be no answer, or no more of it; nothing comes after this. */
  void fail(HttpFailure failure);
}
