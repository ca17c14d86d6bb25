package dev.tandem.client;

import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ServerMessage;
import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** A request with one answer. */
final class AskCall extends Call {

  private final CompletableFuture<ServerMessage> answer = new CompletableFuture<>();

  AskCall(EventLoop loop, ClientOptions options, ClientMessage request) {
    super(loop, options, request, Duration.ZERO);
  }

  /** Comes on the client's own thread: nobody else's code may hang on it. */
  CompletableFuture<ServerMessage> answer() {
    return answer;
  }

  @Override
  boolean answered(ServerMessage message) {
    answer.complete(message);
    return true;
  }

  @Override
  void failed(TandemException failure) {
    answer.completeExceptionally(failure);
  }
}
