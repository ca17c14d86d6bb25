package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.Error;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.TokenIds;
import dev.tandem.protocol.v1.TokenizeRequest;
import dev.tandem.server.Await;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.ScriptedBackend;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever comes over the wire ends in the right error, and the server lives. */
@Timeout(60)
class BadWeatherTest {

  private static final Duration LONG = Duration.ofMinutes(1);
  private static final int PLACES = 4;

  private final Semaphore pace = new Semaphore(Integer.MAX_VALUE / 2);
  private final ScriptedBackend backend = ScriptedBackend.saying("good").paced(pace);
  private final Desk desk =
      new Desk(
          new DeskLimits(2, PLACES - 2, 100_000, Duration.ofMillis(700)), new DeskObserver() {});
  private final RpcServer server =
      new RpcServer(desk, RpcOptions.defaults().withTimeouts(Duration.ofSeconds(1), LONG, LONG));

  @BeforeEach
  void open() {
    desk.open(backend);
  }

  /** After all of it: a good request works, and nothing is left of the others. */
  @AfterEach
  void theServerLives() {
    pace.release(1000);
    try (RawClient client = server.greeted()) {
      Await.until(() -> desk.unfinished() == 0);
      client.generate(1, text("a"));
      StringBuilder text = new StringBuilder();
      client.finished(1, text);
      assertEquals("good", text.toString().strip());
    }
    Await.until(() -> server.connections.open() == 0);
    assertEquals(0, backend.running());
    server.close();
  }

  private static GenerateRequest.Builder text(String text) {
    return GenerateRequest.newBuilder().setText(text);
  }

  private static byte[] hello() {
    return RawClient.frame(new byte[] {0x12, 0x02, 0x08, 0x01});
  }

  @Test
  void halfFrames() {
    try (RawClient client = server.connect()) {
      for (byte b : hello()) { // one byte at a time
        client.bytes(b);
      }
      client.expectWelcome();
      byte[] ping = RawClient.frame(new byte[] {0x08, 7, 0x52, 0});
      for (int cut = 1; cut < ping.length; cut++) {
        client.bytes(Arrays.copyOf(ping, cut));
        client.bytes(Arrays.copyOfRange(ping, cut, ping.length));
        assertTrue(client.receive(7).hasPong());
      }
      client.bytes(Arrays.copyOf(ping, 5)); // and then it goes
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {(4 << 20) + 1, 2_000_000_000, Integer.MAX_VALUE, -1, Integer.MIN_VALUE})
  void giantFrames(int length) {
    try (RawClient client = server.greeted()) {
      client.bytes(
          (byte) (length >> 24), (byte) (length >> 16), (byte) (length >> 8), (byte) length);
      Error error = client.expectError(0, ErrorCode.MALFORMED);
      assertTrue(error.getMessage().contains(Integer.toUnsignedString(length)), error::getMessage);
      assertEquals(Optional.empty(), client.next());
    }
  }

  /** The error arrives although the client goes on sending what nobody reads. */
  @Test
  void giantFrameThatReallyComes() {
    try (RawClient client = server.greeted()) {
      byte[] frame = RawClient.frame(new byte[8 << 20]);
      Thread.ofVirtual()
          .start(() -> {
            try {
              client.bytes(frame);
            } catch (UncheckedIOException e) {
              // The server has had enough.
            }
          });
      client.expectError(0, ErrorCode.MALFORMED);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void randomBytes(boolean greeted) {
    for (long seed = 0; seed < 30; seed++) {
      Random random = new Random(seed);
      byte[] noise = new byte[1 + random.nextInt(2000)];
      random.nextBytes(noise);
      noise[0] = (byte) random.nextInt(2); // sometimes a length that is possible
      noise[1] = 0;
      try (RawClient client = greeted ? server.greeted() : server.connect()) {
        client.bytes(noise);
        client.shutdownOutput();
        // An error or nothing, then the end: no frame of it is a good request.
        for (Optional<ServerMessage> said = client.next(); said.isPresent(); said = client.next()) {
          assertTrue(said.get().hasError(), "seed " + seed + ": " + said);
        }
      }
    }
  }

  /** Good frames with bytes turned over. */
  @Test
  void damagedMessages() {
    byte[] good =
        ClientMessage.newBuilder()
            .setRequestId(1)
            .setGenerate(text("hello").addStop("x").setMaxTokens(3))
            .build()
            .toByteArray();
    for (long seed = 0; seed < 100; seed++) {
      Random random = new Random(seed);
      byte[] bad = good.clone();
      for (int i = 0; i <= random.nextInt(4); i++) {
        bad[random.nextInt(bad.length)] = (byte) random.nextInt();
      }
      try (RawClient client = server.greeted()) {
        client.bytes(RawClient.frame(bad));
        client.shutdownOutput();
        for (int i = 0; client.next().isPresent(); i++) {
          assertTrue(i < 100, "seed " + seed);
        }
      }
    }
  }

  @Test
  void wrongVersionAndOrder() {
    try (RawClient client = server.connect()) {
      client.hello(0, "");
      client.expectEnd(ErrorCode.VERSION);
    }
    try (RawClient client = server.connect()) {
      client.generate(1, text("a"));
      client.expectEnd(ErrorCode.UNSUPPORTED);
    }
    try (RawClient client = server.greeted()) {
      client.hello();
      client.expectEnd(ErrorCode.UNSUPPORTED);
    }
    try (RawClient client = server.greeted()) {
      client.generate(0, text("a"));
      client.expectEnd(ErrorCode.INVALID_ARGUMENT);
    }
  }

  @Test
  void anIdTwice() {
    pace.drainPermits();
    try (RawClient client = server.greeted()) {
      client.generate(5, text("a"));
      assertTrue(client.receive(5).hasStarted());
      client.generate(5, text("b"));
      assertTrue(client.expectEnd(ErrorCode.INVALID_ARGUMENT).getMessage().contains("5"));
    }
    try (RawClient client = server.greeted()) {
      client.generate(5, text("a"));
      assertTrue(client.receive(5).hasStarted());
      client.bytes(RawClient.frame(new byte[] {0x08, 5, (byte) 0xfa, 0x06, 0})); // unknown body
      assertTrue(client.expectEnd(ErrorCode.INVALID_ARGUMENT).getMessage().contains("5"));
    }
    Await.until(() -> desk.unfinished() == 0);
  }

  /** Hello in drops: the time for it is up before it is complete. */
  @Test
  void slowloris() {
    try (RawClient client = server.connect()) {
      Thread drops =
          Thread.ofVirtual()
              .start(() -> {
                try {
                  client.bytes((byte) 0, (byte) 0, (byte) 4, (byte) 0);
                  for (int i = 0; i < 1000; i++) {
                    client.bytes((byte) 'a');
                    Thread.sleep(50);
                  }
                } catch (UncheckedIOException | InterruptedException e) {
                  // The server has had enough.
                }
              });
      client.expectEnd(ErrorCode.DEADLINE_EXCEEDED);
      client.kill();
      assertTrue(Await.ended(drops));
    }
  }

  /** Before anybody knows who it is, a megabyte is not kept. */
  @Test
  void giantHello() {
    try (RawClient client = server.connect()) {
      client.bytes((byte) 0, (byte) 0x10, (byte) 0, (byte) 0);
      client.bytes(new byte[200_000]);
      client.expectError(0, ErrorCode.MALFORMED);
    }
  }

  @Test
  void killedInMidStream() {
    pace.drainPermits();
    for (int round = 0; round < 10; round++) {
      RawClient client = server.greeted();
      client.generate(1, text("a"));
      client.generate(2, text("b"));
      assertTrue(client.receive(1).hasStarted());
      pace.release();
      client.kill();
      Await.until(() -> desk.unfinished() == 0);
      assertEquals(0, backend.running());
    }
  }

  @Test
  void cancelStorm() {
    pace.drainPermits();
    Random random = new Random(1);
    try (RawClient client = server.greeted()) {
      for (int round = 1; round <= 300; round++) {
        boolean slow = random.nextInt(4) == 0; // its prompt is read on another thread
        client.generate(round, text(slow ? "word ".repeat(400) : "a"));
        for (int i = random.nextInt(4); i >= 0; i--) {
          client.cancel(round);
        }
        Finished finished = client.finished(round);
        assertEquals(Finished.Reason.CANCELLED, finished.getReason());
      }
    }
  }

  /** Many at once, of which some find no place, and all are cancelled. */
  @Test
  void cancelStormInAFullHouse() {
    pace.drainPermits();
    try (RawClient client = server.greeted()) {
      int most = 100;
      for (long id = 1; id <= most; id++) {
        client.generate(id, text("a"));
        client.cancel(id);
      }
      boolean[] ended = new boolean[most + 1];
      for (int ends = 0; ends < most; ) {
        ServerMessage message = client.receive();
        if (message.hasFinished() || message.hasError()) {
          int id = (int) message.getRequestId();
          assertTrue(!ended[id], "each ends once");
          ended[id] = true;
          ends++;
        }
      }
      client.expectPong();
    }
  }

  @Test
  void fullQueue() {
    pace.drainPermits();
    try (RawClient client = server.greeted()) {
      for (long id = 1; id <= PLACES; id++) {
        client.generate(id, text("a"));
        assertTrue(client.receive(id).hasStarted());
      }
      client.generate(9, text("a"));
      Error error = client.expectError(9, ErrorCode.OVERLOADED);
      assertTrue(error.getRetry());
      assertEquals(700, error.getRetryAfterMillis());
      client.cancel(1);
      client.finished(1); // when it is told, its place is free
      client.generate(9, text("a"));
      assertTrue(client.receive(9).hasStarted());
    }
  }

  @Test
  void deadlines() {
    backend.withContext(1_000_000);
    pace.drainPermits();
    try (RawClient client = server.greeted()) {
      client.generate(1, text("a").setDeadlineMillis(30));
      client.expectError(1, ErrorCode.DEADLINE_EXCEEDED);
      // It has passed before its prompt is read.
      client.generate(2, text("word ".repeat(20_000)).setDeadlineMillis(1));
      client.expectError(2, ErrorCode.DEADLINE_EXCEEDED);
      pace.release(2);
      client.generate(3, text("a").setDeadlineMillis(200)); // in the midst of it
      assertTrue(client.expectError(3, ErrorCode.DEADLINE_EXCEEDED).getRetry());
      pace.release(1000);
      client.generate(4, text("a").setDeadlineMillis(-1)); // longer than anything
      assertEquals(Finished.Reason.STOP, client.finished(4).getReason());
      client.generate(5, text("a").setDeadlineMillis(Long.MAX_VALUE));
      assertEquals(Finished.Reason.STOP, client.finished(5).getReason());
    }
  }

  @Test
  void textThatIsNoUtf8() {
    byte[] good =
        ClientMessage.newBuilder().setRequestId(1).setGenerate(text("????")).build().toByteArray();
    byte[] bad =
        new String(good, StandardCharsets.ISO_8859_1)
            .replace('?', '\u00ff')
            .getBytes(StandardCharsets.ISO_8859_1);
    try (RawClient client = server.greeted()) {
      client.bytes(RawClient.frame(bad));
      String message = client.expectEnd(ErrorCode.MALFORMED).getMessage();
      assertTrue(message.contains("UTF-8"), message);
    }
  }

  /** A megabyte of text is no trouble; that it does not fit is said. Others go on meanwhile. */
  @Test
  void longPrompts() {
    List<String> texts = new ArrayList<>();
    texts.add("word ".repeat(200_000));
    texts.add("\u0000".repeat(1_000_000));
    texts.add("x".repeat(1_000_000));
    try (RawClient client = server.greeted()) {
      for (String text : texts) {
        client.generate(1, text(text));
        client.expectPong();
        client.expectError(1, ErrorCode.CONTEXT_EXCEEDED);
        client.send(
            2, ClientMessage.newBuilder().setTokenize(TokenizeRequest.newBuilder().setText(text)));
        assertTrue(client.receive(2).hasTokenize());
      }
      client.generate(
          3,
          GenerateRequest.newBuilder()
              .setTokenIds(
                  TokenIds.newBuilder()
                      .addAllIds(Collections.nCopies(4097, 5)))); // one more than fits
      client.expectError(3, ErrorCode.CONTEXT_EXCEEDED);
    }
  }

  @Test
  void valuesOutOfRange() {
    try (RawClient client = server.greeted()) {
      List<GenerateRequest.Builder> wrong =
          List.of(
              GenerateRequest.newBuilder(),
              GenerateRequest.newBuilder().setTokenIds(TokenIds.getDefaultInstance()),
              GenerateRequest.newBuilder().setTokenIds(TokenIds.newBuilder().addIds(-1)),
              GenerateRequest.newBuilder().setTokenIds(TokenIds.newBuilder().addIds(1000)),
              text("a").addStop(""),
              text("a").addAllStop(Collections.nCopies(17, "x")),
              sampling(Sampling.newBuilder().setTemperature(Double.NaN)),
              sampling(Sampling.newBuilder().setTemperature(-1)),
              sampling(Sampling.newBuilder().setTemperature(Double.POSITIVE_INFINITY)),
              sampling(Sampling.newBuilder().setTopP(1.5)),
              sampling(Sampling.newBuilder().setMinP(Double.NaN)),
              sampling(Sampling.newBuilder().setTypical(-0.1)),
              sampling(Sampling.newBuilder().setRepeatPenalty(0)),
              sampling(Sampling.newBuilder().setPresencePenalty(Double.NEGATIVE_INFINITY)),
              sampling(Sampling.newBuilder().setPenaltyTokens(-1)),
              sampling(Sampling.newBuilder().putLogitBias(1000, 1)),
              sampling(Sampling.newBuilder().putLogitBias(-1, 1)),
              sampling(Sampling.newBuilder().putLogitBias(1, Float.NaN)));
      for (int i = 0; i < wrong.size(); i++) {
        client.generate(i + 1, wrong.get(i));
        Error error = client.expectError(i + 1, ErrorCode.INVALID_ARGUMENT);
        assertTrue(!error.getMessage().isEmpty() && !error.getRetry(), error::toString);
      }
      for (int most : new int[] {-1, Integer.MIN_VALUE, Integer.MAX_VALUE, 4096}) {
        client.generate(100, text("a").setMaxTokens(most));
        String message = client.expectError(100, ErrorCode.CONTEXT_EXCEEDED).getMessage();
        assertTrue(message.contains(Integer.toUnsignedString(most)), message);
      }
      client.generate(101, text("a").setMaxTokens(0));
      assertEquals(0, client.finished(101).getUsage().getGeneratedTokens());
    }
  }

  private static GenerateRequest.Builder sampling(Sampling.Builder sampling) {
    return text("a").setSampling(sampling);
  }

  @Test
  void aBackendThatFails() {
    backend.failingAfter(1, new OutOfMemoryError("a test's"));
    try (RawClient client = server.greeted()) {
      client.generate(1, text("a"));
      String message = client.expectError(1, ErrorCode.INTERNAL).getMessage();
      assertTrue(message.contains("request"), message);
      client.expectPong();
    }
    backend.failingAfter(Integer.MAX_VALUE, new IllegalStateException("never"));
  }
}
