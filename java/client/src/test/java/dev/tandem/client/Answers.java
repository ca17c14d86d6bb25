package dev.tandem.client;

import dev.tandem.protocol.v1.Error;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Started;
import dev.tandem.protocol.v1.Token;

/** What servers say, and what is asked of them. */
final class Answers {

  static final GenerateRequest REQUEST = GenerateRequest.newBuilder().setText("Once").build();

  private Answers() {}

  static ServerMessage.Builder started() {
    return ServerMessage.newBuilder()
        .setStarted(Started.newBuilder().setPromptTokens(3).setSeed(77));
  }

  static ServerMessage.Builder token(int id, String text) {
    return ServerMessage.newBuilder().setToken(Token.newBuilder().setId(id).setText(text));
  }

  static ServerMessage.Builder finished(Finished.Reason reason, String text) {
    return ServerMessage.newBuilder()
        .setFinished(Finished.newBuilder().setReason(reason).setText(text));
  }

  static ServerMessage.Builder error(ErrorCode code, String message, boolean retry, int after) {
    return ServerMessage.newBuilder()
        .setError(
            Error.newBuilder()
                .setCode(code)
                .setMessage(message)
                .setRetry(retry)
                .setRetryAfterMillis(after));
  }

  /** A text of two tokens, and a rest that was held back. */
  static void aText(FakeServer.Asked asked) {
    asked.answer(started());
    asked.answer(token(1, " upon"));
    asked.answer(token(2, " a"));
    asked.answer(finished(Finished.Reason.STOP, " time"));
  }
}
