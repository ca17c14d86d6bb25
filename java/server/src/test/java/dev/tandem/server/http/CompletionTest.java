package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.server.Await;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.request.ScriptedBackend;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How the texts of one request come to an end together. */
@Timeout(60)
final class CompletionTest {

  private final Desk desk = new Desk(HttpPort.LIMITS, new DeskObserver() {});
  private final EmbeddedChannel channel = new EmbeddedChannel(new ChannelInboundHandlerAdapter());

  @BeforeEach
  void open() {
    desk.open(ScriptedBackend.saying("yes"));
  }

  @AfterEach
  void close() {
    desk.close();
    channel.finishAndReleaseAll();
  }

  /** Writes down what it is told. */
  private static class Notes implements CompletionSink {
    final List<String> told = new CopyOnWriteArrayList<>();

    @Override
    public void open() {}

    @Override
    public void token(
        int choice, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {}

    @Override
    public void end(int choice, Outcome outcome) {
      told.add("end");
    }

    @Override
    public void complete(Usage usage) {
      told.add("complete");
    }

    @Override
    public void fail(HttpFailure failure) {
      told.add(failure.code());
    }
  }

  private void ask(int texts, CompletionSink sink) {
    HttpRequest head = new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/");
    Exchange.Progress nobody =
        new Exchange.Progress() {
          @Override
          public void sending() {}

          @Override
          public void answered(boolean close) {}
        };
    Exchange exchange =
        new Exchange(
            channel.pipeline().firstContext(), nobody, new BodyBudget(0), head, Optional.empty());
    HttpCall call =
        new HttpCall(
            exchange,
            head.method(),
            RequestTarget.of("/"),
            Caller.ANYBODY,
            Optional.empty(),
            new byte[0]);
    CompletionRequest request =
        new CompletionRequest(
            AnswerStyle.TEXT,
            List.of(new CompletionRequest.Prompt(new int[] {5}, "", 1)),
            new GenerationOptions(
                GenerationOptions.UNLIMITED,
                SamplingOptions.seeded(1),
                false,
                List.of(),
                GenerationOptions.NONE),
            OptionalInt.of(3),
            "max_tokens",
            texts,
            false,
            false,
            "");
    new Completion(desk, call, request, sink).start();
  }

  /** A slow reader, or a busy machine, may hold up the last words of one text. */
  @Test
  void anAnswerIsCompleteWhenTheLastWordsOfAllTextsAreSaid() throws InterruptedException {
    AtomicInteger ends = new AtomicInteger();
    Notes sink =
        new Notes() {
          @Override
          public void end(int choice, Outcome outcome) {
            if (ends.incrementAndGet() == 1) {
              Await.until(() -> desk.unfinished() == 1); // the other one has said all that it will
            }
            super.end(choice, outcome);
          }
        };
    ask(2, sink);
    assertTrue(desk.awaitIdle(Duration.ofSeconds(30)));
    assertEquals(List.of("end", "end", "complete"), sink.told);
  }

  @Test
  void aClientThatDoesNotReadTheEndIsGivenUp() throws InterruptedException {
    Notes sink =
        new Notes() {
          @Override
          public void end(int choice, Outcome outcome) {
            throw Refusal.of(Problem.SLOW_READER, "the client did not read");
          }
        };
    ask(1, sink);
    assertTrue(desk.awaitIdle(Duration.ofSeconds(30)));
    assertEquals(List.of("slow_reader"), sink.told);
  }

  @Test
  void anAnswerThatCannotBeWrittenIsAnError() throws InterruptedException {
    Notes sink =
        new Notes() {
          @Override
          public void complete(Usage usage) {
            throw new OutOfMemoryError("made up");
          }
        };
    ask(1, sink);
    assertTrue(desk.awaitIdle(Duration.ofSeconds(30)));
    assertEquals(List.of("end", "internal_error"), sink.told);
  }
}
