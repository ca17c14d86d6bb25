package dev.tandem.client;

import static dev.tandem.client.Answers.REQUEST;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.ServerMessage;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Flow;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Consumers that do not keep up. */
@Timeout(60)
class BackpressureTest {

  /** More than sockets hold of either side. */
  private static final int MANY = 60_000;

  private static final String TEXT = "twenty bytes of text";

  private final FakeServer server = FakeServer.start();

  @AfterEach
  void close() {
    server.close();
  }

  /** The server can send no more than the sockets hold, and the client holds no more than told. */
  @Test
  void aStalledConsumerStopsTheServer() throws Exception {
    try (TandemClient client = TandemClient.connect(server.options().bufferedEvents(16).build());
        TokenStream stream = client.generate(REQUEST)) {
      FakeServer.Asked asked = server.next();
      Channel channel = asked.channel();
      for (int i = 0; i < MANY; i++) {
        channel.write(token(asked, i));
      }
      channel.flush();
      asked.answer(Answers.finished(Finished.Reason.STOP, ""));
      long unread = awaitRest(channel);
      assertTrue(unread > MANY * 5L, unread + " bytes wait at the server");
      int id = 0;
      for (var token : stream) {
        assertEquals(id++, token.getId());
      }
      assertEquals(MANY, id, "and all come in the end");
    }
  }

  @Test
  void othersGoOnWhereAStalledOneHasItsOwnConnection() throws Exception {
    try (TandemClient client =
            TandemClient.connect(server.options().connections(2).bufferedEvents(16).build());
        TokenStream stalled = client.generate(REQUEST)) {
      stall(server.next());
      try (TokenStream other = client.generate(REQUEST)) {
        Answers.aText(server.next());
        assertEquals(" upon a time", other.text());
      }
      assertEquals(0, stalled.iterator().next().getId());
    }
  }

  @Test
  void othersOnTheSameConnectionGoOnWhenAStalledOneIsClosed() throws Exception {
    try (TandemClient client = TandemClient.connect(server.options().bufferedEvents(16).build())) {
      TokenStream stalled = client.generate(REQUEST);
      FakeServer.Asked asked = server.next();
      TokenStream other = client.generate(REQUEST);
      FakeServer.Asked second = server.next();
      for (int i = 0; i < MANY; i++) {
        asked.channel().write(token(asked, i));
      }
      Answers.aText(second);
      awaitRest(asked.channel());
      stalled.close();
      assertEquals(" upon a time", other.text());
    }
  }

  /** Who waits in vain is told whose fault it is: not the server's. */
  @Test
  void aRequestBehindAStalledOneIsToldWhyNothingComes() throws Exception {
    try (TandemClient client =
            TandemClient.connect(
                server.options().bufferedEvents(16).answerTimeout(Duration.ofSeconds(1)).build());
        TokenStream stalled = client.generate(REQUEST)) {
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.started());
      stalled.started();
      stall(asked);
      while (!stalled.isStalled()) { // the client may have had no time to read yet
        Thread.sleep(Duration.ofMillis(1));
      }
      TandemException failure = assertThrows(TandemException.class, client::health);
      assertEquals(ErrorCode.DEADLINE_EXCEEDED, failure.code());
      assertTrue(failure.getMessage().contains("does not keep up"), failure.getMessage());
      assertEquals(0, stalled.iterator().next().getId());
    }
  }

  @Test
  void whatHadComeCanBeTakenWhenTheClientIsClosed() throws Exception {
    TandemClient client = TandemClient.connect(server.options().bufferedEvents(16).build());
    TokenStream stream = client.generate(REQUEST);
    stall(server.next());
    client.close();
    var tokens = stream.iterator();
    for (int i = 0; i < 16; i++) {
      assertEquals(i, tokens.next().getId());
    }
    TandemException end =
        assertThrows(TandemException.class, () -> tokens.forEachRemaining(token -> {}));
    assertEquals("the client is closed", end.getMessage());
  }

  @Test
  void aStalledStreamCanBeClosedAfterItsClient() throws Exception {
    TandemClient client = TandemClient.connect(server.options().bufferedEvents(16).build());
    TokenStream stream = client.generate(REQUEST);
    stall(server.next());
    client.close();
    stream.close();
    assertThrows(IllegalStateException.class, stream::finished);
  }

  private static void stall(FakeServer.Asked asked) throws Exception {
    for (int i = 0; i < MANY; i++) {
      asked.channel().write(token(asked, i));
    }
    asked.channel().flush();
    awaitRest(asked.channel());
  }

  @Test
  void aSubscriberIsToldWhatItAskedForAndNoMore() throws Exception {
    try (TandemClient client = TandemClient.connect(server.options().bufferedEvents(4).build())) {
      Listener listener = new Listener();
      client.publisher(REQUEST).subscribe(listener);
      FakeServer.Asked asked = server.next();
      for (int i = 0; i < 10; i++) {
        asked.answer(Answers.token(i, "t" + i));
      }
      asked.answer(Answers.finished(Finished.Reason.LENGTH, "!"));
      assertNull(listener.heard.poll(50, TimeUnit.MILLISECONDS), "nothing was asked for");
      listener.subscription.get().request(2);
      assertEquals("t0", listener.next());
      assertEquals("t1", listener.next());
      assertNull(listener.heard.poll(50, TimeUnit.MILLISECONDS), "two were asked for");
      listener.subscription.get().request(Long.MAX_VALUE);
      listener.subscription.get().request(Long.MAX_VALUE);
      List<String> rest = new ArrayList<>();
      for (int i = 2; i < 10; i++) {
        rest.add(listener.next());
      }
      assertEquals(List.of("t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9"), rest);
      assertEquals("!", listener.next());
      assertEquals("complete", listener.next());
    }
  }

  @Test
  void everySubscriberHasAGenerationOfItsOwn() throws Exception {
    try (TandemClient client = server.client()) {
      Flow.Publisher<TokenEvent> publisher = client.publisher(REQUEST);
      for (int i = 0; i < 2; i++) {
        Listener listener = new Listener();
        publisher.subscribe(listener);
        Answers.aText(server.next());
        listener.subscription.get().request(100);
        StringBuilder heard = new StringBuilder();
        for (String event = listener.next(); !event.equals("complete"); event = listener.next()) {
          heard.append(event);
        }
        assertEquals(" upon a time", heard.toString());
      }
    }
  }

  @Test
  void aSubscriberThatCancelsHearsNoMore() throws Exception {
    try (TandemClient client = server.client()) {
      Listener listener = new Listener();
      client.publisher(REQUEST).subscribe(listener);
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.token(1, "x"));
      listener.subscription.get().request(1);
      assertEquals("x", listener.next());
      listener.subscription.get().cancel();
      assertTrue(server.next().message().hasCancel());
      asked.answer(Answers.token(2, "y"));
      listener.subscription.get().request(10);
      assertNull(listener.heard.poll(50, TimeUnit.MILLISECONDS));
    }
  }

  @Test
  void toAskForNothingIsAnError() throws Exception {
    try (TandemClient client = server.client()) {
      Listener listener = new Listener();
      client.publisher(REQUEST).subscribe(listener);
      server.next();
      listener.subscription.get().request(0);
      assertTrue(listener.next().contains("ask for at least 1"));
      assertTrue(server.next().message().hasCancel());
    }
  }

  @Test
  void aSubscriberThatFailsIsLeftAlone() throws Exception {
    try (TandemClient client = server.client()) {
      Listener listener =
          new Listener() {
            @Override
            public void onNext(TokenEvent event) {
              throw new IllegalStateException("no more, please");
            }
          };
      client.publisher(REQUEST).subscribe(listener);
      server.next().answer(Answers.token(1, "x"));
      listener.subscription.get().request(1);
      assertTrue(server.next().message().hasCancel());
    }
  }

  /** Else what it does not take would stop the connection for all others. */
  @Test
  void aSubscriberThatFailsByAnErrorEndsItsGenerationToo() throws Exception {
    try (TandemClient client = server.client()) {
      Listener listener =
          new Listener() {
            @Override
            public void onNext(TokenEvent event) {
              throw new AssertionError("a subscriber's own, printed by its thread");
            }
          };
      client.publisher(REQUEST).subscribe(listener);
      server.next().answer(Answers.token(1, "x"));
      listener.subscription.get().request(1);
      assertTrue(server.next().message().hasCancel());
    }
  }

  private static ServerMessage token(FakeServer.Asked asked, int id) {
    return Answers.token(id, TEXT).setRequestId(asked.message().getRequestId()).build();
  }

  /** Waits until the server writes no more though it has more; returns how many bytes. */
  private static long awaitRest(Channel channel) throws Exception {
    long unread = -1;
    for (int still = 0; still < 10; ) {
      long now = channel.eventLoop().submit(() -> channel.bytesBeforeWritable()).get();
      still = now == unread && now > 0 ? still + 1 : 0;
      unread = now;
      Thread.sleep(Duration.ofMillis(20));
    }
    return unread;
  }

  /** Writes down what it hears. */
  private static class Listener implements Flow.Subscriber<TokenEvent> {
    final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
    final AtomicReference<Flow.Subscription> subscription = new AtomicReference<>();

    String next() throws InterruptedException {
      String next = heard.poll(FakeServer.PATIENCE.toSeconds(), TimeUnit.SECONDS);
      return String.valueOf(next);
    }

    @Override
    public void onSubscribe(Flow.Subscription with) {
      subscription.set(with);
    }

    @Override
    public void onNext(TokenEvent event) {
      heard.add(event.text());
    }

    @Override
    public void onError(Throwable failure) {
      heard.add(failure.getMessage());
    }

    @Override
    public void onComplete() {
      heard.add("complete");
    }
  }
}
