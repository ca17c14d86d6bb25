package dev.tandem.client;

import static dev.tandem.client.Answers.REQUEST;
import static dev.tandem.client.FakeServer.PATIENCE;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.ApplyTemplateResponse;
import dev.tandem.protocol.v1.Conversation;
import dev.tandem.protocol.v1.DetokenizeResponse;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.Health;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.Pong;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Stats;
import dev.tandem.protocol.v1.Token;
import dev.tandem.protocol.v1.TokenizeResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The ways to ask, of a server that does what it should. */
class StylesTest {

  private final FakeServer server = FakeServer.start();
  private final TandemClient client = server.client();

  @AfterEach
  void close() {
    client.close();
    server.close();
  }

  @Test
  void aStreamIsTakenTokenByToken() {
    try (TokenStream stream = client.generate(REQUEST)) {
      FakeServer.Asked asked = server.next();
      assertEquals(REQUEST, asked.message().getGenerate());
      assertTrue(asked.message().getRequestId() > 0);
      asked.answer(Answers.started());
      assertEquals(77, stream.started().getSeed(), "is told before there is a token");
      asked.answer(Answers.token(1, " upon"));
      List<Integer> ids = new ArrayList<>();
      var tokens = stream.iterator();
      ids.add(tokens.next().getId());
      asked.answer(Answers.token(2, " a"));
      asked.answer(Answers.finished(Finished.Reason.STOP, " time"));
      for (Token token : stream) {
        ids.add(token.getId());
      }
      assertEquals(List.of(1, 2), ids);
      assertFalse(tokens.hasNext());
      assertThrows(NoSuchElementException.class, tokens::next);
      assertEquals(" time", stream.finished().getText());
      assertEquals(Finished.Reason.STOP, stream.finished().getReason());
    }
  }

  @Test
  void aStreamGivesItsTextAsAWhole() {
    try (TokenStream stream = client.generate(REQUEST)) {
      Answers.aText(server.next());
      assertEquals(" upon a time", stream.text());
      assertEquals(77, stream.started().getSeed());
    }
  }

  @Test
  void manyStreamsShareAConnection() {
    List<TokenStream> streams = new ArrayList<>();
    List<FakeServer.Asked> asked = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      streams.add(client.generate(REQUEST));
      asked.add(server.next());
    }
    for (int token = 0; token < 10; token++) {
      for (int i = 0; i < asked.size(); i++) {
        asked.get(i).answer(Answers.token(token, i + ":" + token + " "));
      }
    }
    asked.forEach(one -> one.answer(Answers.finished(Finished.Reason.LENGTH, "")));
    for (int i = 0; i < streams.size(); i++) {
      StringBuilder expected = new StringBuilder();
      for (int token = 0; token < 10; token++) {
        expected.append(i).append(":").append(token).append(" ");
      }
      assertEquals(expected.toString(), streams.get(i).text());
    }
    assertEquals(1, server.connections().size());
  }

  @Test
  void aFutureHasTheWholeText() throws Exception {
    CompletableFuture<Completion> future = client.complete(REQUEST);
    Answers.aText(server.next());
    Completion completion = future.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    assertEquals(" upon a time", completion.text());
    assertEquals(3, completion.started().getPromptTokens());
    assertEquals(Finished.Reason.STOP, completion.finished().getReason());
  }

  /** What hangs on a future may itself wait for the client: it runs on no thread of its own. */
  @Test
  void whatFollowsAFutureMayBlock() throws Exception {
    CompletableFuture<Health> after = client.complete(REQUEST).thenApply(done -> client.health());
    Answers.aText(server.next());
    Health ready = Health.newBuilder().setState(Health.State.READY).build();
    server.next().answer(ServerMessage.newBuilder().setHealth(ready));
    assertEquals(ready, after.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
  }

  @Test
  void aFailureReachesTheFuture() {
    CompletableFuture<Completion> future = client.complete(REQUEST);
    server.next().answer(Answers.error(ErrorCode.OVERLOADED, "too many wait", true, 1500));
    ExecutionException failure =
        assertThrows(
            ExecutionException.class, () -> future.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
    TandemException cause = assertInstanceOf(TandemException.class, failure.getCause());
    assertEquals(ErrorCode.OVERLOADED, cause.code());
    assertEquals("too many wait", cause.getMessage());
    assertTrue(cause.retry());
    assertEquals(Duration.ofMillis(1500), cause.retryAfter().orElseThrow());
  }

  @Test
  void aFailureComesBehindTheTokensBeforeIt() {
    try (TokenStream stream = client.generate(REQUEST)) {
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.token(1, "x"));
      asked.answer(Answers.error(ErrorCode.INTERNAL, "the device failed", false, 0));
      var tokens = stream.iterator();
      assertEquals(1, tokens.next().getId());
      TandemException failure = assertThrows(TandemException.class, tokens::hasNext);
      assertEquals(ErrorCode.INTERNAL, failure.code());
      assertFalse(failure.retry());
      assertTrue(failure.retryAfter().isEmpty());
      assertThrows(TandemException.class, stream::finished, "again and again");
    }
  }

  @Test
  void anythingWithOneAnswerIsAsked() {
    asks(TandemClient::health, ServerMessage.newBuilder().setHealth(Health.newBuilder()));
    asks(
        TandemClient::stats, ServerMessage.newBuilder().setStats(Stats.newBuilder().setRunning(4)));
    asks(
        TandemClient::modelInfo,
        ServerMessage.newBuilder().setModelInfo(ModelInfo.newBuilder().setName("stories")));
    asks(TandemClient::ping, ServerMessage.newBuilder().setPong(Pong.getDefaultInstance()));
    assertEquals(
        List.of(5, 6),
        asks(
            c -> c.tokenize("ab"),
            ServerMessage.newBuilder()
                .setTokenize(TokenizeResponse.newBuilder().addIds(5).addIds(6))));
    assertEquals(
        "ab",
        asks(
            c -> c.detokenize(List.of(5, 6)),
            ServerMessage.newBuilder()
                .setDetokenize(DetokenizeResponse.newBuilder().setText("ab"))));
    assertEquals(
        "<user>",
        asks(
                c -> c.applyTemplate(Conversation.getDefaultInstance()),
                ServerMessage.newBuilder()
                    .setApplyTemplate(ApplyTemplateResponse.newBuilder().setPrompt("<user>")))
            .getPrompt());
  }

  @Test
  void anAnswerToAnotherQuestionIsNone() {
    TandemException failure =
        assertThrows(
            TandemException.class,
            () ->
                asks(
                    TandemClient::health,
                    ServerMessage.newBuilder().setPong(Pong.getDefaultInstance())));
    assertEquals(ErrorCode.UNSUPPORTED, failure.code());
  }

  @Test
  void aCancelledStreamStillHasItsEnd() {
    try (TokenStream stream = client.generate(REQUEST)) {
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.token(1, "x"));
      stream.cancel();
      FakeServer.Asked cancel = server.next();
      assertTrue(cancel.message().hasCancel());
      assertEquals(asked.message().getRequestId(), cancel.message().getRequestId());
      asked.answer(Answers.finished(Finished.Reason.CANCELLED, ""));
      assertEquals("x", stream.text());
      assertEquals(Finished.Reason.CANCELLED, stream.finished().getReason());
    }
  }

  @Test
  void aStreamThatIsClosedEarlyIsCancelled() {
    FakeServer.Asked asked;
    TokenStream stream = client.generate(REQUEST);
    try (stream) {
      asked = server.next();
      asked.answer(Answers.token(1, "x"));
      assertEquals("x", stream.iterator().next().getText());
    }
    assertTrue(server.next().message().hasCancel());
    assertThrows(IllegalStateException.class, stream::finished);
    // What still comes for it harms nobody.
    asked.answer(Answers.token(2, "y"));
    asked.answer(Answers.finished(Finished.Reason.CANCELLED, ""));
    asks(TandemClient::health, ServerMessage.newBuilder().setHealth(Health.newBuilder()));
  }

  @Test
  void aStreamThatHasEndedIsNotCancelled() throws Exception {
    try (TokenStream stream = client.generate(REQUEST)) {
      Answers.aText(server.next());
      stream.finished();
      stream.cancel();
    }
    assertTrue(server.isQuiet(Duration.ofMillis(50)));
  }

  @Test
  void aFutureThatIsCancelledCancels() {
    CompletableFuture<Completion> future = client.complete(REQUEST);
    server.next();
    future.cancel(true);
    assertTrue(server.next().message().hasCancel());
  }

  /** Whatever its user ends a future by: nobody wants its text any more. */
  @Test
  void aFutureThatIsOutOfTimeCancels() {
    CompletableFuture<Completion> future =
        client.complete(REQUEST).orTimeout(20, TimeUnit.MILLISECONDS);
    server.next();
    assertTrue(server.next().message().hasCancel());
    assertTrue(future.isCompletedExceptionally());
  }

  @Test
  void anInterruptedThreadCancels() throws Exception {
    try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
      CompletableFuture<Boolean> stillInterrupted = new CompletableFuture<>();
      var task =
          threads.submit(() -> {
            try (TokenStream stream = client.generate(REQUEST)) {
              stream.finished();
            } catch (CancellationException e) {
              stillInterrupted.complete(Thread.currentThread().isInterrupted());
            }
          });
      server.next();
      task.cancel(true);
      assertTrue(server.next().message().hasCancel());
      assertTrue(stillInterrupted.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
    }
  }

  @Test
  void virtualThreadsWaitForTokens() throws Exception {
    List<CompletableFuture<String>> texts = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      CompletableFuture<String> text = new CompletableFuture<>();
      texts.add(text);
      Thread.ofVirtual()
          .start(() -> {
            try (TokenStream stream = client.generate(REQUEST)) {
              text.complete(stream.text());
            } catch (RuntimeException e) {
              text.completeExceptionally(e);
            }
          });
    }
    for (int i = 0; i < texts.size(); i++) {
      Answers.aText(server.next());
    }
    for (CompletableFuture<String> text : texts) {
      assertEquals(" upon a time", text.get(PATIENCE.toSeconds(), TimeUnit.SECONDS));
    }
  }

  /** Asks on a thread of its own, and answers. */
  private <T> T asks(Function<TandemClient, T> question, ServerMessage.Builder answer) {
    CompletableFuture<T> asking = CompletableFuture.supplyAsync(() -> question.apply(client));
    FakeServer.Asked asked = server.next();
    asked.answer(answer);
    try {
      return asking.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException e) {
      throw (RuntimeException) e.getCause();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }
}
