package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.DetokenizeRequest;
import dev.tandem.protocol.v1.Error;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.TokenizeRequest;
import dev.tandem.server.Await;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.transport.ConnectionLimit;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Each limit of the binary protocol's port. */
@Timeout(60)
class LimitsTest {

  private static final Duration LONG = Duration.ofMinutes(1);

  private final Desk desk =
      new Desk(new DeskLimits(64, 64, 2000, Duration.ofMillis(700)), new DeskObserver() {});
  private Optional<RpcServer> server = Optional.empty();

  @AfterEach
  void stop() {
    server.ifPresent(RpcServer::close);
  }

  private RpcServer serve(ScriptedBackend backend, RpcOptions options) {
    desk.open(backend);
    server = Optional.of(new RpcServer(desk, options));
    return server.get();
  }

  private static GenerateRequest.Builder text(String text) {
    return GenerateRequest.newBuilder().setText(text);
  }

  private static ClientMessage.Builder ping(int bytes) {
    return ClientMessage.newBuilder()
        .setPing(Ping.newBuilder().setPayload(ByteString.copyFrom(new byte[bytes])));
  }

  @Test
  void frames() {
    RpcServer rpc =
        serve(ScriptedBackend.saying("x"), RpcOptions.defaults().withMaxFrameBytes(2000));
    try (RawClient client = rpc.greeted()) {
      client.send(1, ping(1990));
      client.expectError(1, ErrorCode.INVALID_ARGUMENT); // as a ping, not as a frame
      client.send(2, ping(2000));
      String message = client.expectEnd(ErrorCode.MALFORMED).getMessage();
      assertTrue(message.contains("at most 2000"), message);
    }
    rpc.greeted().close();
  }

  /** An answer above the limit is refused alone. */
  @Test
  void answers() {
    RpcServer rpc =
        serve(ScriptedBackend.saying("x"), RpcOptions.defaults().withMaxFrameBytes(3000));
    try (RawClient client = rpc.greeted()) {
      client.send(
          1,
          ClientMessage.newBuilder()
              .setTokenize(TokenizeRequest.newBuilder().setText("\u007f".repeat(2900))));
      client.expectError(1, ErrorCode.LIMIT_EXCEEDED);
      client.expectPong();
    }
  }

  @Test
  void connections() {
    desk.open(ScriptedBackend.saying("x"));
    RpcServer rpc =
        new RpcServer(
            desk,
            RpcOptions.defaults(),
            Authenticator.open(),
            Optional.empty(),
            new ConnectionLimit(2));
    server = Optional.of(rpc);
    RawClient first = rpc.greeted();
    try (RawClient second = rpc.greeted()) {
      try (RawClient third = rpc.connect()) {
        third.hello();
        Error error = third.expectEnd(ErrorCode.LIMIT_EXCEEDED);
        assertTrue(error.getRetry());
        assertEquals(700, error.getRetryAfterMillis());
      }
      assertEquals(2, rpc.connections.open());
      second.expectPong();
      first.close();
      Await.until(() -> rpc.connections.open() == 1);
      rpc.greeted().close();
    }
  }

  @Test
  void requestsOfAConnection() {
    RpcServer rpc =
        serve(
            ScriptedBackend.endless().paced(new Semaphore(0)),
            RpcOptions.defaults().withRequestsPerConnection(2));
    try (RawClient client = rpc.greeted();
        RawClient other = rpc.greeted()) {
      client.generate(1, text("a"));
      client.generate(2, text("a"));
      client.generate(3, text("a"));
      assertTrue(client.expectError(3, ErrorCode.LIMIT_EXCEEDED).getRetry());
      client.cancel(1);
      assertEquals(Finished.Reason.CANCELLED, client.finished(1).getReason());
      client.expectPong();
      other.generate(1, text("a"));
      assertTrue(other.receive(1).hasStarted(), "others have their own");
    }
  }

  @Test
  void handshakeTimeout() {
    RpcServer rpc =
        serve(
            ScriptedBackend.saying("x"),
            RpcOptions.defaults().withTimeouts(Duration.ofMillis(300), LONG, LONG));
    try (RawClient silent = rpc.connect();
        RawClient welcomed = rpc.greeted()) {
      silent.expectEnd(ErrorCode.DEADLINE_EXCEEDED);
      welcomed.expectPong();
    }
  }

  @Test
  void idleTimeout() {
    Semaphore pace = new Semaphore(0);
    RpcServer rpc =
        serve(
            ScriptedBackend.saying("x").paced(pace),
            RpcOptions.defaults().withTimeouts(LONG, Duration.ofMillis(400), LONG));
    try (RawClient idle = rpc.greeted();
        RawClient busy = rpc.greeted()) {
      busy.generate(1, text("a"));
      assertTrue(busy.receive(1).hasStarted());
      long quiet = System.nanoTime();
      assertTrue(idle.receive().hasGoAway());
      assertEquals(Optional.empty(), idle.next());
      assertTrue(System.nanoTime() - quiet > Duration.ofMillis(200).toNanos());
      pace.release(10); // what waits for an answer is not idle
      busy.finished(1);
      assertTrue(busy.receive().hasGoAway());
      assertEquals(Optional.empty(), busy.next());
    }
  }

  /** Who does not read is paused, then given up; nobody else notices, and memory stays bounded. */
  @Test
  void slowReader() {
    int high = 8 << 10;
    RpcServer rpc =
        serve(
            ScriptedBackend.endless().withContext(10_000_000),
            RpcOptions.defaults()
                .withTimeouts(LONG, LONG, Duration.ofMillis(500))
                .withWatermarks(4 << 10, high));
    try (RawClient slow = new RawClient(rpc.address(), 4 << 10);
        RawClient other = rpc.greeted()) {
      slow.hello();
      slow.expectWelcome();
      slow.generate(1, text("a"));
      other.generate(1, text("a").setMaxTokens(1000));
      assertEquals(1000, other.finished(1).getUsage().getGeneratedTokens());
      Await.until(() -> desk.unfinished() == 0);
      long told = desk.totals().generatedTokens();
      assertTrue(told < 1_000_000, told + " tokens were made for nobody");
      String message = slow.expectError(1, ErrorCode.SLOW_READER).getMessage();
      assertTrue(message.contains("500 ms"), message);
      slow.expectPong();
      other.expectPong();
    }
  }

  /** A pause that is shorter than the timeout loses nothing. */
  @Test
  void slowReaderGoesOn() {
    ScriptedBackend backend = ScriptedBackend.endless().withContext(10_000_000);
    RpcServer rpc = serve(backend, RpcOptions.defaults().withWatermarks(4 << 10, 8 << 10));
    int tokens = 200_000;
    // A window much smaller than a packet may open by TCP's timers alone, 200 ms for each buffer:
    // so not a small one.
    try (RawClient slow = new RawClient(rpc.address(), 128 << 10)) {
      slow.hello();
      slow.expectWelcome();
      slow.generate(1, text("a").setMaxTokens(tokens));
      awaitPause(slow);
      assertEquals(1, backend.running());
      int read = 0;
      ServerMessage message = slow.receive(1);
      for (; !message.hasFinished(); message = slow.receive(1)) {
        read += message.hasToken() ? 1 : 0;
      }
      assertEquals(tokens, read);
      assertEquals(tokens, message.getFinished().getUsage().getGeneratedTokens());
    }
  }

  /** Who reads nothing can still say that it wants no more; and so can who goes away. */
  @Test
  void aPausedRequestCanBeCancelled() {
    ScriptedBackend backend = ScriptedBackend.endless().withContext(10_000_000);
    RpcServer rpc =
        serve(
            backend,
            RpcOptions.defaults().withTimeouts(LONG, LONG, LONG).withWatermarks(4 << 10, 8 << 10));
    try (RawClient slow = new RawClient(rpc.address(), 4 << 10)) {
      slow.hello();
      slow.expectWelcome();
      slow.generate(1, text("a"));
      slow.generate(2, text("a"));
      awaitPause(slow);
      assertEquals(2, backend.running());
      slow.cancel(1);
      Await.until(() -> backend.running() == 1);
      slow.kill();
      Await.until(() -> backend.running() == 0);
      Await.until(() -> desk.unfinished() == 0);
    }
  }

  /** What is kept of long requests is bounded over all connections, however many there are. */
  @Test
  void longRequests() {
    int most = 8000;
    RpcServer rpc =
        serve(
            ScriptedBackend.endless().withContext(10_000_000),
            RpcOptions.defaults().withFrames(most, most).withWatermarks(4 << 10, 8 << 10));
    List<Integer> ids = Collections.nCopies(5000, 'a' + 3); // two do not fit
    ClientMessage.Builder text =
        ClientMessage.newBuilder().setDetokenize(DetokenizeRequest.newBuilder().addAllIds(ids));
    try (RawClient slow = new RawClient(rpc.address(), 4 << 10);
        RawClient other = rpc.greeted()) {
      slow.hello();
      slow.expectWelcome();
      slow.generate(1, text("a"));
      AtomicLong id = new AtomicLong(2);
      Await.until(() -> {
        slow.send(id.getAndIncrement(), text); // once all buffers are full, its answer waits
        Await.pause();
        return !isTaken(other, text);
      });
      Error error = refusedFor(other, text);
      assertTrue(error.getRetry());
      assertEquals(700, error.getRetryAfterMillis());
      assertTrue(error.getMessage().contains("8000"), error.getMessage());
      other.generate(3, text("a".repeat(5000)));
      other.expectError(3, ErrorCode.OVERLOADED);
      other.expectPong();
      slow.kill();
      Await.until(() -> isTaken(other, text));
    }
  }

  /** Who leaves an answer unread cannot keep the room that all others need, too. */
  @Test
  void longAnswersThatAreNotRead() {
    int most = 8000;
    RpcServer rpc =
        serve(
            ScriptedBackend.saying("x"),
            RpcOptions.defaults()
                .withFrames(most, most)
                .withWatermarks(1 << 20, 1 << 20) // so that it is not the gate that waits
                .withTimeouts(
                    Duration.ofSeconds(10), Duration.ofMinutes(5), Duration.ofMillis(500)));
    ClientMessage.Builder text =
        ClientMessage.newBuilder()
            .setDetokenize(
                DetokenizeRequest.newBuilder().addAllIds(Collections.nCopies(5000, 'a' + 3)));
    try (RawClient slow = new RawClient(rpc.address(), 4 << 10);
        RawClient other = rpc.greeted()) {
      slow.hello();
      slow.expectWelcome();
      AtomicLong id = new AtomicLong(2);
      Await.until(() -> { // once all buffers are full, an answer waits in the server
        try {
          slow.send(id.getAndIncrement(), text);
        } catch (UncheckedIOException e) {
          return true;
        }
        return rpc.connections.open() == 1;
      });
      Await.until(() -> rpc.connections.open() == 1);
      Await.until(() -> isTaken(other, text));
    }
  }

  /** What has come of messages that have no end yet is in memory, too. */
  @Test
  void longMessagesThatAreOnTheirWay() {
    int most = 1 << 20;
    byte[] begun = Arrays.copyOf(ByteBuffer.allocate(4).putInt(most).array(), 700_000);
    RpcServer rpc =
        serve(ScriptedBackend.saying("x"), RpcOptions.defaults().withFrames(most, most));
    try (RawClient first = rpc.greeted()) {
      first.bytes(begun);
      Await.until(() -> rpc.roomForLongRequests() == most - begun.length);
      try (RawClient second = rpc.greeted()) {
        second.bytes(begun);
        assertTrue(second.expectEnd(ErrorCode.OVERLOADED).getRetry());
        // What the second had is free already, while its connection is open still.
        first.bytes(new byte[most - begun.length]); // 4 bytes less than the frame has
        Await.until(() -> rpc.roomForLongRequests() == 0);
      }
      assertEquals(0, first.unread());
      first.kill();
    }
    ClientMessage.Builder text =
        ClientMessage.newBuilder()
            .setTokenize(TokenizeRequest.newBuilder().setText("a".repeat(700_000)));
    Await.until(() -> { // there is room again
      try (RawClient third = rpc.greeted()) {
        third.send(2, text);
        ServerMessage answer = third.next().orElseThrow();
        return answer.getError().getCode() == ErrorCode.LIMIT_EXCEEDED; // it is longer than a frame
      }
    });
  }

  @Test
  void longMessagesComeInTime() {
    RpcServer rpc =
        serve(
            ScriptedBackend.saying("x"),
            RpcOptions.defaults()
                .withTimeouts(Duration.ofSeconds(1), Duration.ofMinutes(5), Duration.ofMinutes(5)));
    byte[] begun = Arrays.copyOf(ByteBuffer.allocate(4).putInt(1 << 20).array(), 100_000);
    try (RawClient client = rpc.greeted()) {
      client.bytes(begun);
      Error error = client.expectEnd(ErrorCode.DEADLINE_EXCEEDED);
      assertTrue(error.getMessage().contains("within 3000 ms"), error.getMessage());
    }
    ClientMessage.Builder text =
        ClientMessage.newBuilder()
            .setTokenize(TokenizeRequest.newBuilder().setText("a".repeat(100_000)));
    try (RawClient client = rpc.greeted()) {
      for (int i = 2; i < 6; i++) { // each in time
        client.send(i, text);
        assertTrue(client.receive(i).hasTokenize());
      }
      Await.pause();
      client.expectPong();
    }
  }

  private static boolean isTaken(RawClient client, ClientMessage.Builder question) {
    client.send(2, question);
    return client.receive(2).hasDetokenize();
  }

  private static Error refusedFor(RawClient client, ClientMessage.Builder question) {
    client.send(2, question);
    return client.expectError(2, ErrorCode.OVERLOADED);
  }

  /** When what has come no longer grows, the server waits for its reader. */
  private static void awaitPause(RawClient slow) {
    long before = -1;
    for (long come = slow.unread(); come != before; come = slow.unread()) {
      before = come;
      Await.pause();
    }
  }

  /** Questions that are answered at once cannot wait for a reader; so they are not read. */
  @Test
  void whoAsksAndDoesNotReadIsNotReadEither() {
    RpcServer rpc =
        serve(ScriptedBackend.saying("x"), RpcOptions.defaults().withWatermarks(4 << 10, 8 << 10));
    try (RawClient flood = new RawClient(rpc.address(), 4 << 10);
        RawClient other = rpc.greeted()) {
      flood.hello();
      flood.expectWelcome();
      byte[] pings = RawClient.frame(ping(64).setRequestId(1).build().toByteArray());
      // 22 MB of questions and as much of answers: the system alone holds up to 10 MB on the way.
      int many = 300_000;
      Thread writer =
          Thread.ofVirtual()
              .start(() -> {
                for (int i = 0; i < many; i++) {
                  flood.bytes(pings);
                }
              });
      long before = -1;
      for (long sent = flood.sent(); sent != before; sent = flood.sent()) {
        before = sent;
        Await.pause();
      }
      assertTrue(flood.sent() < (long) many * pings.length, "all of it was taken");
      other.expectPong();
      for (int i = 0; i < many; i++) {
        assertTrue(flood.receive().hasPong());
      }
      assertTrue(Await.ended(writer));
    }
  }

  @Test
  void optionsAreChecked() {
    RpcOptions good = RpcOptions.defaults();
    assertThrows(IllegalArgumentException.class, () -> good.withMaxFrameBytes(1023));
    assertThrows(IllegalArgumentException.class, () -> good.withFrames(4096, 4095));
    assertEquals(1 << 30, good.withMaxFrameBytes(1 << 30).longRequestBytes());
    assertThrows(IllegalArgumentException.class, () -> new ConnectionLimit(0));
    assertThrows(IllegalArgumentException.class, () -> good.withRequestsPerConnection(0));
    assertThrows(IllegalArgumentException.class, () -> good.withWatermarks(2, 1));
    assertThrows(IllegalArgumentException.class, () -> good.withWatermarks(0, 1));
    assertThrows(
        IllegalArgumentException.class, () -> good.withTimeouts(Duration.ZERO, LONG, LONG));
    assertThrows(
        IllegalArgumentException.class, () -> good.withTimeouts(LONG, LONG.negated(), LONG));
  }
}
