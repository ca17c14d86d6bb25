package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.tandem.protocol.v1.ApplyTemplateRequest;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.Conversation;
import dev.tandem.protocol.v1.DetokenizeRequest;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Health;
import dev.tandem.protocol.v1.HealthRequest;
import dev.tandem.protocol.v1.Message;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.ModelInfoRequest;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Stats;
import dev.tandem.protocol.v1.StatsRequest;
import dev.tandem.protocol.v1.TokenIds;
import dev.tandem.protocol.v1.TokenizeRequest;
import dev.tandem.protocol.v1.Welcome;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.server.security.Authenticator;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The binary protocol in good weather, over sockets. */
@Timeout(60)
class RpcTest {

  static final DeskLimits LIMITS = new DeskLimits(4, 4, 2000, Duration.ofMillis(1500));

  private final Desk desk = new Desk(LIMITS, new DeskObserver() {});
  private RpcServer server = new RpcServer(desk, RpcOptions.defaults());

  @AfterEach
  void stop() {
    server.close();
  }

  private static GenerateRequest.Builder text(String text) {
    return GenerateRequest.newBuilder().setText(text);
  }

  private static ClientMessage.Builder message() {
    return ClientMessage.newBuilder();
  }

  @Test
  void welcomeTellsTheServerItsLimitsAndItsModel() {
    try (RawClient early = server.connect()) {
      early.hello(1, "whatever");
      Welcome welcome = early.expectWelcome();
      assertEquals(1, welcome.getProtocolVersion());
      assertEquals("test/1", welcome.getServerName());
      assertFalse(welcome.hasModel(), "it is being loaded");
      assertEquals(4 << 20, welcome.getLimits().getMaxFrameBytes());
      assertEquals(128, welcome.getLimits().getMaxRequestsPerConnection());
      assertEquals(2000, welcome.getLimits().getMaxPromptTokens());
      assertEquals(300_000, welcome.getLimits().getIdleTimeoutMillis());
    }
    desk.open(ScriptedBackend.endless());
    try (RawClient client = server.connect()) {
      client.hello(-1, ""); // newer than anything
      Welcome welcome = client.expectWelcome();
      assertEquals(1, welcome.getProtocolVersion());
      ModelInfo model = welcome.getModel();
      assertEquals("scripted", model.getName());
      assertEquals(4096, model.getContextTokens());
      assertEquals(0.8, model.getDefaultSampling().getTemperature());
      assertEquals(40, model.getDefaultSampling().getTopK());
      assertFalse(model.getDefaultSampling().hasSeed());
    }
  }

  @Test
  void generatesTokenByToken() {
    ScriptedBackend backend = ScriptedBackend.saying("Hello, world");
    desk.open(backend);
    try (RawClient client = server.greeted()) {
      client.generate(7, text("hi"));
      ServerMessage started = client.receive();
      assertEquals(7, started.getRequestId());
      StringBuilder text = new StringBuilder();
      Finished finished = client.finished(7, text);
      ScriptedBackend.Asked asked = backend.asked().getFirst(); // perhaps after Started
      assertEquals(asked.prompt().size(), started.getStarted().getPromptTokens());
      assertEquals(1, asked.prompt().getFirst(), "BOS");
      assertEquals(asked.options().sampling().seed(), started.getStarted().getSeed());
      assertEquals("Hello, world", text.toString().strip());
      assertEquals(Finished.Reason.STOP, finished.getReason());
      int tokens = finished.getUsage().getGeneratedTokens();
      assertTrue(tokens > 3);
      assertEquals(started.getStarted().getPromptTokens(), finished.getUsage().getPromptTokens());
      assertTrue(finished.getTimings().getTotalMicros() > 0);
      // What was generated can be told back, and the prompt be given as ids.
      client.generate(
          7,
          GenerateRequest.newBuilder()
              .setTokenIds(TokenIds.newBuilder().addAllIds(backend.asked().getFirst().prompt()))
              .setMaxTokens(2));
      Finished second = client.finished(7);
      assertEquals(Finished.Reason.LENGTH, second.getReason());
      assertEquals(2, second.getUsage().getGeneratedTokens());
      assertEquals(backend.asked().get(0).prompt(), backend.asked().get(1).prompt());
      assertNotEquals(
          backend.asked().get(0).options().sampling().seed(),
          backend.asked().get(1).options().sampling().seed());
    }
  }

  @Test
  void conversationsGoThroughTheTemplate() {
    ScriptedBackend backend = ScriptedBackend.saying("yes");
    desk.open(backend);
    Conversation conversation =
        Conversation.newBuilder()
            .addMessages(Message.newBuilder().setRole("system").setContent("be brief"))
            .addMessages(Message.newBuilder().setRole("user").setContent("is it?"))
            .build();
    try (RawClient client = server.greeted()) {
      client.generate(1, GenerateRequest.newBuilder().setConversation(conversation));
      client.finished(1);
      client.send(
          2,
          message()
              .setApplyTemplate(ApplyTemplateRequest.newBuilder().setConversation(conversation)));
      var applied = client.receive(2).getApplyTemplate();
      assertEquals("[system]be brief\n[user]is it?\n[assistant]", applied.getPrompt());
      assertEquals(backend.asked().getFirst().prompt(), applied.getIdsList());
      client.generate(3, GenerateRequest.newBuilder().setConversation(Conversation.newBuilder()));
      client.expectError(3, ErrorCode.INVALID_ARGUMENT);
      client.generate(
          4,
          GenerateRequest.newBuilder()
              .setConversation(Conversation.newBuilder().addMessages(Message.newBuilder())));
      client.expectError(4, ErrorCode.INVALID_ARGUMENT);
    }
  }

  @Test
  void samplingStopsAndPriorityReachTheBackend() {
    ScriptedBackend backend = ScriptedBackend.saying("one two three");
    desk.open(backend);
    try (RawClient client = server.greeted()) {
      client.generate(
          1,
          text("a")
              .setSampling(
                  Sampling.newBuilder()
                      .setTemperature(0)
                      .setTopK(-1) // as large as it goes
                      .setTopP(0.5)
                      .setMinP(0.1)
                      .setTypical(0.9)
                      .setRepeatPenalty(1.5)
                      .setPresencePenalty(-0.5)
                      .setFrequencyPenalty(0.25)
                      .setPenaltyTokens(10)
                      .setSeed(-77)
                      .putLogitBias(5, Float.NEGATIVE_INFINITY))
              .addStop("two")
              .setIgnoreEnd(true)
              .setPriority(3)
              .setMaxTokens(100));
      StringBuilder text = new StringBuilder();
      Finished finished = client.finished(1, text);
      assertEquals("one", text.toString().strip());
      assertEquals("two", finished.getStop());
      assertEquals(Finished.Reason.STOP, finished.getReason());
      ScriptedBackend.Asked asked = backend.asked().getFirst();
      assertEquals(3, asked.priority());
      assertEquals(100, asked.options().maxTokens());
      assertTrue(asked.options().ignoreEnd());
      var sampling = asked.options().sampling();
      assertEquals(0, sampling.temperature());
      assertEquals(Integer.MAX_VALUE, sampling.topK());
      assertEquals(0.5, sampling.topP());
      assertEquals(0.1, sampling.minP());
      assertEquals(0.9, sampling.typical());
      assertEquals(1.5, sampling.penalties().repeat());
      assertEquals(-0.5, sampling.penalties().presence());
      assertEquals(0.25, sampling.penalties().frequency());
      assertEquals(10, sampling.penalties().lastTokens());
      assertEquals(-77, sampling.seed());
      int end = 2; // what ends a text is not drawn where the end is to be ignored
      assertEquals(
          Map.of(5, Float.NEGATIVE_INFINITY, end, Float.NEGATIVE_INFINITY), sampling.logitBias());
    }
  }

  @Test
  void whatARequestDoesNotSayTheModelsCardDoes() {
    ScriptedBackend backend = ScriptedBackend.saying("x");
    desk.open(backend);
    try (RawClient client = server.greeted()) {
      client.generate(1, text("a"));
      client.finished(1);
      var options = backend.asked().getFirst().options();
      assertEquals(backend.card().sampling().withSeed(0), options.sampling().withSeed(0));
      assertEquals(
          4096 - backend.asked().getFirst().prompt().size(), options.maxTokens(), "the rest");
    }
  }

  @Test
  void logProbabilities() {
    desk.open(ScriptedBackend.endless());
    try (RawClient client = server.greeted()) {
      client.generate(1, text("a").setLogProbabilities(3).setMaxTokens(1));
      assertTrue(client.receive(1).hasStarted());
      var token = client.receive(1).getToken();
      assertEquals(token.getId(), token.getProbability().getId());
      assertEquals(-0.5, token.getProbability().getLog());
      assertEquals(3, token.getTopCount());
      assertFalse(token.getTop(0).getText().isEmpty());
      client.generate(2, text("a").setLogProbabilities(257));
      client.expectError(2, ErrorCode.INVALID_ARGUMENT);
    }
  }

  @Test
  void manyRequestsOnOneConnectionAndEachCanBeCancelled() {
    Semaphore pace = new Semaphore(0);
    ScriptedBackend backend = ScriptedBackend.endless().paced(pace);
    desk.open(backend);
    try (RawClient client = server.greeted()) {
      for (long id = 1; id <= 8; id++) {
        client.generate(id, text("a"));
        assertTrue(client.receive(id).hasStarted());
      }
      client.cancel(99); // nobody
      for (long id = 8; id >= 2; id--) {
        client.cancel(id);
        assertEquals(Finished.Reason.CANCELLED, client.finished(id).getReason());
      }
      pace.release(3);
      for (int i = 0; i < 3; i++) {
        assertTrue(client.receive(1).hasToken());
      }
      client.cancel(1);
      Finished last = client.finished(1);
      assertEquals(Finished.Reason.CANCELLED, last.getReason());
      assertEquals(3, last.getUsage().getGeneratedTokens());
      client.cancel(1); // has ended
      client.expectPong();
    }
  }

  @Test
  void tokenizeAndBack() {
    desk.open(ScriptedBackend.endless());
    try (RawClient client = server.greeted()) {
      for (String text : List.of("hello", "h\u00e9llo \ud83d\ude00 ".repeat(2000))) {
        client.send(
            1, message().setTokenize(TokenizeRequest.newBuilder().setText(text).setAddBegin(true)));
        List<Integer> ids = client.receive(1).getTokenize().getIdsList();
        assertEquals(1, ids.getFirst());
        client.send(
            2,
            message()
                .setDetokenize(
                    DetokenizeRequest.newBuilder().addAllIds(ids.subList(1, ids.size()))));
        assertEquals(text, client.receive(2).getDetokenize().getText());
      }
      client.send(3, message().setTokenize(TokenizeRequest.newBuilder().setText("</s>")));
      assertTrue(client.receive(3).getTokenize().getIdsCount() > 1, "text");
      client.send(
          4,
          message()
              .setTokenize(TokenizeRequest.newBuilder().setText("</s>").setParseSpecial(true)));
      assertEquals(List.of(2), client.receive(4).getTokenize().getIdsList());
      client.send(5, message().setDetokenize(DetokenizeRequest.newBuilder().addIds(-1)));
      assertTrue(
          client.expectError(5, ErrorCode.INVALID_ARGUMENT).getMessage().contains("4294967295"));
    }
  }

  @Test
  void pingHealthStatsAndModel() {
    try (RawClient client = server.greeted()) {
      ByteString payload = ByteString.copyFrom(new byte[64]);
      client.send(1, message().setPing(Ping.newBuilder().setPayload(payload)));
      assertEquals(payload, client.receive(1).getPong().getPayload());
      client.send(
          2, message().setPing(Ping.newBuilder().setPayload(ByteString.copyFrom(new byte[65]))));
      client.expectError(2, ErrorCode.INVALID_ARGUMENT);

      desk.progress("half of it");
      client.send(3, message().setHealth(HealthRequest.getDefaultInstance()));
      Health loading = client.receive(3).getHealth();
      assertEquals(Health.State.LOADING, loading.getState());
      assertEquals("half of it", loading.getDetail());
      client.send(4, message().setModelInfo(ModelInfoRequest.getDefaultInstance()));
      assertEquals(1500, client.expectError(4, ErrorCode.LOADING).getRetryAfterMillis());
      client.generate(5, text("a"));
      assertTrue(client.expectError(5, ErrorCode.LOADING).getRetry());
      client.send(6, message().setStats(StatsRequest.getDefaultInstance()));
      assertEquals(0, client.receive(6).getStats().getKvTokens());

      desk.open(ScriptedBackend.saying("one"));
      client.send(7, message().setHealth(HealthRequest.getDefaultInstance()));
      assertEquals(Health.State.READY, client.receive(7).getHealth().getState());
      client.send(8, message().setModelInfo(ModelInfoRequest.getDefaultInstance()));
      assertEquals("llama", client.receive(8).getModelInfo().getArchitecture());
      client.generate(9, text("a"));
      Finished finished = client.finished(9);
      client.send(10, message().setStats(StatsRequest.getDefaultInstance()));
      Stats stats = client.receive(10).getStats();
      assertEquals(1, stats.getRequestsTotal());
      assertEquals(finished.getUsage().getPromptTokens(), stats.getPromptTokensTotal());
      assertEquals(finished.getUsage().getGeneratedTokens(), stats.getGeneratedTokensTotal());
      assertEquals(1, stats.getConnections());
      assertEquals(1 << 16, stats.getKvTokens());
      assertEquals(0, stats.getRunning());

      desk.fail("the device is gone");
      client.send(11, message().setHealth(HealthRequest.getDefaultInstance()));
      Health failed = client.receive(11).getHealth();
      assertEquals(Health.State.FAILED, failed.getState());
      assertEquals("the device is gone", failed.getDetail());
      client.generate(12, text("a"));
      client.expectError(12, ErrorCode.INTERNAL);
    }
  }

  @Test
  void unknownBodiesAreAnsweredAndUnknownFieldsIgnored() {
    desk.open(ScriptedBackend.saying("one"));
    try (RawClient client = server.greeted()) {
      // request_id 5, and field 99, of type bytes: as a newer client's body would be.
      client.bytes(RawClient.frame(new byte[] {0x08, 5, (byte) 0x9a, 0x06, 1, 'x'}));
      client.expectError(5, ErrorCode.UNSUPPORTED);
      // A Ping with a field 99 beside.
      client.bytes(RawClient.frame(new byte[] {0x08, 6, (byte) 0x9a, 0x06, 1, 'x', 0x52, 0}));
      assertTrue(client.receive(6).hasPong());
    }
  }

  @Test
  void drainingSaysSoAndLetsEndWhatRuns() throws Exception {
    Semaphore pace = new Semaphore(0);
    desk.open(ScriptedBackend.saying("one two").paced(pace));
    try (RawClient client = server.greeted()) {
      client.generate(1, text("a"));
      assertTrue(client.receive(1).hasStarted());
      desk.drain();
      ServerMessage message = client.receive(0);
      assertEquals(1500, message.getGoAway().getRetryAfterMillis());
      client.generate(2, text("a"));
      assertTrue(client.expectError(2, ErrorCode.UNAVAILABLE).getRetry());
      client.send(3, message().setHealth(HealthRequest.getDefaultInstance()));
      assertEquals(Health.State.DRAINING, client.receive(3).getHealth().getState());
      try (RawClient late = server.greeted()) {
        assertTrue(late.receive().hasGoAway());
      }
      assertFalse(desk.awaitIdle(Duration.ofMillis(1)));
      pace.release(100);
      assertEquals(Finished.Reason.STOP, client.finished(1).getReason());
      assertTrue(desk.awaitIdle(Duration.ofSeconds(20)));
    }
  }

  @Test
  void tokensTellWhoItIsAndWhatTheyMay() {
    server.close();
    Desk other = new Desk(LIMITS, new DeskObserver() {});
    other.open(ScriptedBackend.saying("one"));
    server = new RpcServer(other, RpcOptions.defaults(), secret());
    for (String wrong : List.of("", "secre", "secret2")) {
      try (RawClient client = server.connect()) {
        client.hello(1, wrong);
        client.generate(1, text("a")); // before it knows
        String message = client.expectEnd(ErrorCode.UNAUTHENTICATED).getMessage();
        assertFalse(message.contains("secre"), message);
      }
    }
    try (RawClient client = server.connect()) {
      client.hello(1, "secret");
      client.expectWelcome();
      client.generate(1, text("a").setPriority(6));
      client.expectError(1, ErrorCode.PERMISSION_DENIED);
      client.generate(2, text("a").setPriority(5).setClientId("me"));
      client.finished(2);
      client.generate(3, text("a").setClientId("m".repeat(257)));
      client.expectError(3, ErrorCode.INVALID_ARGUMENT);
    }
  }

  private static Authenticator secret() {
    return new Authenticator() {
      @Override
      public boolean needsToken() {
        return true;
      }

      @Override
      public Optional<Caller> caller(String token) {
        return token.equals("secret") ? Optional.of(new Caller("tenant", "", 5)) : Optional.empty();
      }
    };
  }
}
