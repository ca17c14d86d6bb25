package dev.tandem.client;

import static dev.tandem.client.Answers.REQUEST;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.GoAway;
import dev.tandem.protocol.v1.Limits;
import dev.tandem.protocol.v1.Pong;
import dev.tandem.protocol.v1.ServerMessage;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.net.ServerSocket;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Servers that go, come back, want no one, say nothing, or nonsense. */
@Timeout(60)
class ConnectionsTest {

  @Test
  void theGreetingNamesTheClientAndItsToken() {
    try (FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(server.options().token("secret").clientName("test/1").build())) {
      assertEquals(1, server.hellos().getFirst().getProtocolVersion());
      assertEquals("secret", server.hellos().getFirst().getToken());
      assertEquals("test/1", server.hellos().getFirst().getClientName());
      assertWorks(server, client);
    }
  }

  @Test
  void optionsDoNotTellTheToken() {
    ClientOptions options = ClientOptions.to("::1", 9).token("canary").build();
    assertEquals("[::1]:9", options.toString());
  }

  @Test
  void whoWaitsForEverCanSaySo() {
    Duration ever = ChronoUnit.FOREVER.getDuration();
    try (FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(
                server
                    .options()
                    .connectTimeout(ever)
                    .answerTimeout(ever)
                    .reconnectFor(ever)
                    .backoff(new Backoff(Duration.ofMillis(1), ever))
                    .build())) {
      assertWorks(server, client);
      TokenStream lost = client.generate(REQUEST);
      server.next().channel().close();
      assertThrows(TandemException.class, lost::finished);
      assertWorks(server, client);
    }
  }

  @Test
  void aTokenThatIsNullIsRefusedAtOnce() {
    ClientOptions.Builder options = ClientOptions.to("localhost", 9);
    assertThrows(NullPointerException.class, () -> options.token(null));
  }

  @Test
  void noServerIsTold() throws IOException {
    int port = unusedPort();
    TandemException failure = refused(ClientOptions.to("localhost", port).build());
    assertEquals(ErrorCode.UNAVAILABLE, failure.code());
    assertTrue(failure.retry());
    assertTrue(failure.getMessage().contains("localhost:" + port), failure.getMessage());
  }

  @Test
  void anUnknownHostIsTold() {
    TandemException failure = refused(ClientOptions.to("no-such-host.invalid", 1).build());
    assertEquals("cannot connect to no-such-host.invalid:1: no such host", failure.getMessage());
  }

  @Test
  void aWrongTokenIsToldAndNotRepeated() {
    try (FakeServer server =
        FakeServer.greeting(hello ->
            Optional.of(
                Answers.error(ErrorCode.UNAUTHENTICATED, "a wrong token", false, 0).build()))) {
      TandemException failure = refused(server.options().token("canary").build());
      assertEquals(ErrorCode.UNAUTHENTICATED, failure.code());
      assertFalse(failure.retry());
      assertFalse(failure.toString().contains("canary"));
      assertEquals(1, server.hellos().size());
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, -1})
  void anotherVersionIsRefused(int version) {
    try (FakeServer server =
        FakeServer.greeting(hello ->
            FakeServer.welcome(
                FakeServer.WELCOME.toBuilder().setProtocolVersion(version).build()))) {
      TandemException failure = refused(server.options().build());
      assertEquals(ErrorCode.VERSION, failure.code());
      assertTrue(
          failure.getMessage().contains("version " + Integer.toUnsignedString(version)),
          failure.getMessage());
    }
  }

  @Test
  void aServerThatDoesNotGreetIsGivenUp() {
    try (FakeServer server = FakeServer.greeting(hello -> Optional.empty())) {
      TandemException failure =
          refused(server.options().connectTimeout(Duration.ofMillis(100)).build());
      assertEquals(ErrorCode.UNAVAILABLE, failure.code());
      assertEquals(
          "cannot connect to %s: no greeting for 100 ms".formatted(server.address()),
          failure.getMessage());
      server.nextLost();
    }
  }

  @Test
  void somethingElseThanAServerIsNoticed() {
    try (FakeServer server =
        FakeServer.greeting(hello ->
            Optional.of(ServerMessage.newBuilder().setPong(Pong.getDefaultInstance()).build()))) {
      TandemException failure = refused(server.options().build());
      assertEquals(ErrorCode.MALFORMED, failure.code());
      assertTrue(failure.getMessage().contains("PONG"), failure.getMessage());
    }
  }

  @Test
  void aRequestThatIsNeverAnsweredFails() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = impatient(server);
        TokenStream stream = client.generate(REQUEST)) {
      TandemException failure = assertThrows(TandemException.class, stream::finished);
      assertEquals(ErrorCode.DEADLINE_EXCEEDED, failure.code());
      assertTrue(failure.getMessage().contains(server.address()), failure.getMessage());
      assertTrue(server.next().message().hasGenerate());
    }
  }

  /** It may say nothing for long: it is asked for a sign of life, and this is one. */
  @Test
  void silenceWithASignOfLifeIsWaitedFor() {
    // Long enough for this side to answer in time on a machine that is busy.
    try (FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(server.options().answerTimeout(Duration.ofSeconds(1)).build());
        TokenStream stream = client.generate(REQUEST)) {
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.started());
      for (int i = 0; i < 3; i++) {
        FakeServer.Asked ping = server.next();
        assertTrue(ping.message().hasPing(), ping.message().toString());
        ping.answer(ServerMessage.newBuilder().setPong(Pong.getDefaultInstance()));
      }
      asked.answer(Answers.finished(Finished.Reason.STOP, "late"));
      assertEquals("late", stream.text());
    }
  }

  @Test
  void silenceWithoutOneEndsTheConnection() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = impatient(server);
        TokenStream stream = client.generate(REQUEST)) {
      server.next().answer(Answers.started());
      TandemException failure = assertThrows(TandemException.class, stream::finished);
      assertEquals(ErrorCode.UNAVAILABLE, failure.code());
      assertTrue(failure.retry());
      assertTrue(failure.getMessage().contains("no sign of life"), failure.getMessage());
      server.nextLost();
    }
  }

  @Test
  void aDeadlineHoldsHereToo() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = server.client();
        TokenStream stream = client.generate(REQUEST.toBuilder().setDeadlineMillis(50).build())) {
      FakeServer.Asked asked = server.next();
      assertEquals(50, asked.message().getGenerate().getDeadlineMillis());
      asked.answer(Answers.started());
      asked.answer(Answers.token(1, "x"));
      assertEquals(1, stream.iterator().next().getId());
      TandemException failure = assertThrows(TandemException.class, stream::finished);
      assertEquals(ErrorCode.DEADLINE_EXCEEDED, failure.code());
      assertTrue(server.next().message().hasCancel());
    }
  }

  /** A length of 2 GB, a wrong wire type, an answer to what nobody asked. */
  @ParameterizedTest
  @ValueSource(strings = {"7fffffff", "0000000107", "0000000308e707", "ffffffff"})
  void garbageEndsTheConnectionAndTheNextRequestHasAnother(String hex) {
    try (FakeServer server = FakeServer.start();
        TandemClient client = server.client()) {
      TokenStream stream = client.generate(REQUEST);
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.token(1, "x"));
      asked.sendBytes(HexFormat.of().parseHex(hex));
      TandemException failure = assertThrows(TandemException.class, stream::finished);
      assertEquals(ErrorCode.MALFORMED, failure.code());
      server.nextLost();
      assertWorks(server, client);
      assertEquals(2, server.connections().size());
    }
  }

  @Test
  void aServerThatDiesFailsItsStreamsAndIsFoundAgain() {
    FakeServer first = FakeServer.start();
    int port = first.port();
    try (TandemClient client = first.client()) {
      List<TokenStream> streams = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        streams.add(client.generate(REQUEST));
        first.next().answer(Answers.token(i, "x"));
      }
      first.close();
      for (TokenStream stream : streams) {
        TandemException failure = assertThrows(TandemException.class, stream::finished);
        assertEquals(ErrorCode.UNAVAILABLE, failure.code());
        assertTrue(failure.retry());
        assertTrue(failure.getMessage().contains("localhost:" + port), failure.getMessage());
      }
      // The next request waits while the server is away.
      TokenStream waiting = client.generate(REQUEST);
      try (FakeServer second = FakeServer.at(port)) {
        Answers.aText(second.next());
        assertEquals(" upon a time", waiting.text());
      }
    }
  }

  @Test
  void aServerThatStaysAwayIsNotWaitedForForEver() {
    FakeServer server = FakeServer.start();
    try (TandemClient client =
        TandemClient.connect(server.options().reconnectFor(Duration.ofMillis(200)).build())) {
      server.close();
      TandemException failure = assertThrows(TandemException.class, client::health);
      assertEquals(ErrorCode.UNAVAILABLE, failure.code());
      assertTrue(failure.retry());
    }
  }

  /** However long it would have waited. */
  @Test
  void aRequestThatWaitedIsForgottenAtItsEnd() throws InterruptedException {
    try (FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(server.options().reconnectFor(Duration.ofHours(1)).build())) {
      TokenStream lost = client.generate(REQUEST);
      server.next().channel().close();
      assertThrows(TandemException.class, lost::finished);
      WeakReference<?> waited = waited(server, client);
      while (waited.get() != null) {
        System.gc();
        Thread.sleep(10);
      }
    }
  }

  private static WeakReference<?> waited(FakeServer server, TandemClient client) {
    CompletableFuture<Completion> completion = client.complete(REQUEST);
    Answers.aText(server.next());
    assertEquals(" upon a time", completion.join().text());
    return new WeakReference<>(completion);
  }

  @Test
  void aServerThatGoesAwayFinishesWhatItHasAndGetsNothingNew() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = server.client()) {
      TokenStream old = client.generate(REQUEST);
      FakeServer.Asked asked = server.next();
      asked.answer(Answers.token(1, "old"));
      assertEquals("old", old.iterator().next().getText());
      asked.send(ServerMessage.newBuilder().setGoAway(GoAway.newBuilder().setMessage("ending")));
      asked.answer(Answers.token(2, "!"));
      assertEquals("!", old.iterator().next().getText()); // so GoAway has come
      TokenStream next = client.generate(REQUEST);
      FakeServer.Asked other = server.next();
      assertFalse(asked.channel().equals(other.channel()), "another connection");
      Answers.aText(other);
      assertEquals(" upon a time", next.text());
      asked.answer(Answers.finished(Finished.Reason.STOP, "."));
      assertEquals(".", old.text());
      assertEquals(asked.channel(), server.nextLost(), "closed when nothing is left to do");
    }
  }

  @Test
  void anErrorOfTheConnectionFailsAllOfIt() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = server.client();
        TokenStream one = client.generate(REQUEST);
        TokenStream two = client.generate(REQUEST)) {
      server.next().send(Answers.error(ErrorCode.MALFORMED, "what was that?", false, 0));
      for (TokenStream stream : List.of(one, two)) {
        TandemException failure = assertThrows(TandemException.class, stream::finished);
        assertEquals("what was that?", failure.getMessage());
      }
    }
  }

  @Test
  void requestsHaveConnectionsOfTheirOwnWhileThereAreSome() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = TandemClient.connect(server.options().connections(3).build())) {
      List<FakeServer.Asked> asked = new ArrayList<>();
      for (int i = 0; i < 7; i++) {
        client.generate(REQUEST);
        asked.add(server.next());
      }
      assertEquals(3, server.connections().size());
      assertEquals(3, asked.stream().limit(3).map(FakeServer.Asked::channel).distinct().count());
      assertEquals(3, asked.stream().skip(3).map(FakeServer.Asked::channel).distinct().count());
      // One at rest is taken again.
      asked.forEach(Answers::aText);
      assertWorks(server, client);
      assertEquals(3, server.connections().size());
    }
  }

  @Test
  void aRequestThatIsTooLargeFailsAlone() {
    try (FakeServer server =
            FakeServer.greeting(hello ->
                FakeServer.welcome(
                    FakeServer.WELCOME.toBuilder()
                        .setLimits(Limits.newBuilder().setMaxFrameBytes(1000))
                        .build()));
        TandemClient client = server.client()) {
      GenerateRequest large = GenerateRequest.newBuilder().setText("x".repeat(1000)).build();
      TandemException failure =
          assertThrows(TandemException.class, () -> client.generate(large).finished());
      assertEquals(ErrorCode.INVALID_ARGUMENT, failure.code());
      assertFalse(failure.retry());
      assertTrue(failure.getMessage().contains("1000"), failure.getMessage());
      assertWorks(server, client);
      assertEquals(1, server.connections().size());
    }
  }

  /** Before the server ends it, just when it might be needed. */
  @Test
  void aRequestThatIsTooLargeForThisSideIsNoLostConnection() {
    try (FakeServer server = FakeServer.start();
        TandemClient client = TandemClient.connect(server.options().maxFrameBytes(500).build())) {
      TandemException failure =
          assertThrows(TandemException.class, () -> client.tokenize("x".repeat(1000)));
      assertEquals(ErrorCode.INVALID_ARGUMENT, failure.code());
      assertFalse(failure.retry());
      assertTrue(failure.getMessage().contains("at most 500"), failure.getMessage());
      assertWorks(server, client);
    }
  }

  @Test
  void anIdleConnectionIsClosedInTime() {
    try (FakeServer server =
            FakeServer.greeting(hello ->
                FakeServer.welcome(
                    FakeServer.WELCOME.toBuilder()
                        .setLimits(Limits.newBuilder().setIdleTimeoutMillis(100))
                        .build()));
        TandemClient client = server.client()) {
      server.nextLost();
      assertWorks(server, client);
    }
  }

  @Test
  void aClosedClientEndsWhatItDid() {
    try (FakeServer server = FakeServer.start()) {
      TandemClient client = server.client();
      TokenStream stream = client.generate(REQUEST);
      server.next();
      client.close();
      assertEquals(
          "the client is closed",
          assertThrows(TandemException.class, stream::finished).getMessage());
      assertThrows(IllegalStateException.class, client::health);
      client.close();
      server.nextLost();
    }
  }

  /** Its threads end with it, and would not keep a program alive. */
  @Test
  void aClientLeavesNoThread() throws InterruptedException {
    try (FakeServer server = FakeServer.start()) {
      for (int i = 0; i < 5; i++) {
        TandemClient client = server.client();
        List<Thread> threads = threads();
        assertEquals(1, threads.size(), threads.toString());
        assertTrue(threads.getFirst().isDaemon());
        client.close();
        assertTrue(threads.getFirst().join(FakeServer.PATIENCE), "its last instructions");
        assertEquals(List.of(), threads());
      }
    }
  }

  private static List<Thread> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(thread -> thread.getName().startsWith("tandem-client"))
        .filter(Thread::isAlive)
        .toList();
  }

  private static TandemClient impatient(FakeServer server) {
    return TandemClient.connect(server.options().answerTimeout(Duration.ofMillis(200)).build());
  }

  private static void assertWorks(FakeServer server, TandemClient client) {
    try (TokenStream stream = client.generate(REQUEST)) {
      Answers.aText(server.next());
      assertEquals(" upon a time", stream.text());
    }
  }

  private static TandemException refused(ClientOptions options) {
    return assertTimeoutPreemptively(
        FakeServer.PATIENCE,
        () -> assertThrows(TandemException.class, () -> TandemClient.connect(options)));
  }

  private static int unusedPort() throws IOException {
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort();
    }
  }
}
