package dev.tandem.client;

import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.Started;
import dev.tandem.protocol.v1.Token;

/** What comes of a generation: it has started, its tokens, and its end. */
public sealed interface TokenEvent {

  /** Text that this adds; may be empty. Those of all events are the text. */
  default String text() {
    return "";
  }

  /** The server has accepted it. */
  record Accepted(Started started) implements TokenEvent {}

  /** One token. */
  record Generated(Token token) implements TokenEvent {
    @Override
    public String text() {
      return token.getText();
    }
  }

  /** The last event. Its text is what was held back in case it began a stop string. */
  record Ended(Finished finished) implements TokenEvent {
    @Override
    public String text() {
      return finished.getText();
    }
  }
}
