package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.server.Await;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.EngineBackend;
import dev.tandem.server.request.ModelCard;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A real model behind the binary protocol: the one that comes with Tandem. */
@Timeout(120)
class RpcStoriesTest {

  private static final Path STORIES = Path.of("../cli/src/main/dist/models/stories.gguf");
  private static final int REQUESTS = 32;

  private final Desk desk =
      new Desk(new DeskLimits(16, 64, 1000, Duration.ofSeconds(1)), new DeskObserver() {});
  private EngineBackend backend;
  private RpcServer server;

  @BeforeEach
  void start() {
    TandemModel model =
        TandemModel.open(
            STORIES, EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(2048).withStep(64, 8));
    int vocabulary = model.tokenizer().vocabulary().size();
    ModelCard card =
        new ModelCard(
            "stories", "llama", "", 0, 512, vocabulary, false, "cpu", SamplingOptions.greedy(), 0);
    backend = new EngineBackend(model, card);
    desk.open(backend);
    server = new RpcServer(desk, RpcOptions.defaults());
  }

  @AfterEach
  void stop() {
    server.close();
    backend.close();
  }

  private static GenerateRequest.Builder request(long seed) {
    return GenerateRequest.newBuilder()
        .setText("Once upon a time there was number " + seed + " ".repeat((int) seed % 3))
        .setMaxTokens(20 + (int) seed)
        .setSampling(Sampling.newBuilder().setTemperature(0.9).setSeed(seed));
  }

  private static String end(Finished finished) {
    return " [" + finished.getReason() + ", " + finished.getUsage().getGeneratedTokens() + "]";
  }

  private List<String> alone() {
    List<String> texts = new ArrayList<>();
    try (RawClient client = server.greeted()) {
      for (long id = 1; id <= REQUESTS; id++) {
        client.generate(id, request(id));
        StringBuilder text = new StringBuilder();
        Finished finished = client.finished(id, text);
        texts.add(text + end(finished));
      }
    }
    return texts;
  }

  /**
   * 32 at once over two connections, and a third one that asks for as many and is killed: the texts
   * are those that each has alone, to the last byte, and those that were cancelled begin like them.
   */
  @Test
  void inCompanyAsAlone() {
    List<String> alone = alone();
    try (RawClient one = server.greeted();
        RawClient two = server.greeted()) {
      RawClient killed = server.greeted();
      for (long id = 1; id <= REQUESTS; id++) {
        (id % 2 == 0 ? two : one).generate(id, request(id));
        killed.generate(id, request(id));
      }
      assertTrue(killed.receive().hasStarted());
      killed.kill();
      two.cancel(2);
      two.cancel(30);
      read(one, alone);
      read(two, alone);
    }
    Await.until(() -> desk.unfinished() == 0);
    assertEquals(0, backend.load().kvTokensUsed());
    assertEquals(alone, alone(), "and afterwards");
    assertEquals(0, backend.load().kvTokensUsed());
    assertEquals(0, backend.load().running());
  }

  /** Reads the half of all requests that a connection has. */
  private static void read(RawClient client, List<String> alone) {
    Map<Long, StringBuilder> texts = new HashMap<>();
    for (int ends = 0; ends < REQUESTS / 2; ) {
      ServerMessage message = client.receive();
      long id = message.getRequestId();
      StringBuilder text = texts.computeIfAbsent(id, first -> new StringBuilder());
      assertTrue(!message.hasError(), message::toString);
      text.append(message.getToken().getText()).append(message.getFinished().getText());
      if (message.hasFinished()) {
        ends++;
        String whole = alone.get((int) id - 1);
        if (message.getFinished().getReason() == Finished.Reason.CANCELLED) {
          assertTrue(id == 2 || id == 30, message::toString);
          assertTrue(whole.startsWith(text.toString()), "request " + id);
        } else {
          assertEquals(whole, text + end(message.getFinished()), "request " + id);
        }
      }
    }
  }
}
