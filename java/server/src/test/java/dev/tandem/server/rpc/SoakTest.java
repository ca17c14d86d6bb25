package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.TandemClient;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.TokenIds;
import dev.tandem.server.StartListener;
import dev.tandem.server.TandemServer;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.request.ScriptedBackend;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Many connections that rest and some that work, for a while: memory stays as it was. With {@code
 * -Dtandem.long=true} 1,000 and 64 for five minutes, else fewer for some seconds.
 */
final class SoakTest {

  private static final boolean LONG = Boolean.getBoolean("tandem.long");
  private static final int RESTING = LONG ? 1000 : 100;
  private static final int BUSY = LONG ? 64 : 16;
  private static final Duration WHOLE = LONG ? Duration.ofMinutes(5) : Duration.ofSeconds(6);
  // Bytes. In seconds, not everything has been compiled and loaded once before the first look.
  private static final long MOST_GROWTH = LONG ? 8 << 20 : 32 << 20;

  private final AtomicLong answers = new AtomicLong();
  private volatile boolean stop;

  @Test
  @Timeout(600)
  void memoryStaysAsItWas() throws Exception {
    Map<String, String> flags =
        Map.of("port", "0", "http-port", "0", "parallel", "64", "idle-timeout", "1h");
    ServerOptions options = ServerOptions.of(Configuration.of(Optional.empty(), Map.of(), flags));
    try (TandemServer server =
            TandemServer.start(
                options, loading -> ScriptedBackend.endless().forgetful(), new StartListener() {});
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      server.ready().join();
      List<RawClient> resting = new ArrayList<>();
      try (TandemClient client = TandemClient.connect(options(server.rpcAddress()));
          HttpClient http = HttpClient.newHttpClient()) {
        for (int i = 0; i < RESTING; i++) {
          RawClient one = new RawClient(server.rpcAddress());
          resting.add(one);
          one.hello();
          one.expectWelcome();
        }
        Load load = new Load(client, http, server.httpAddress(), threads);
        load.runFor(WHOLE.dividedBy(3)); // then pools and caches have the size that they want
        long heap = heap();
        long direct = direct();
        long before = answers.get();
        load.runFor(WHOLE.dividedBy(3).multipliedBy(2));
        long grown = heap() - heap;
        long grownDirect = direct() - direct;
        System.out.printf(
            "soak: %d resting, %d busy, %d s: %d answers; heap %+d KiB from %d, direct %+d KiB from"
                + " %d%n",
            RESTING,
            BUSY,
            WHOLE.toSeconds(),
            answers.get(),
            grown >> 10,
            heap >> 10,
            grownDirect >> 10,
            direct >> 10);
        assertTrue(answers.get() > before, "it answers to the end");
        assertTrue(grown < MOST_GROWTH, () -> "the heap has grown by " + grown);
        assertTrue(grownDirect < MOST_GROWTH, () -> "direct memory has grown by " + grownDirect);
        for (RawClient one : resting) {
          one.send(7, ClientMessage.newBuilder().setPing(Ping.getDefaultInstance()));
          assertTrue(one.receive(7).hasPong(), "it was not forgotten");
        }
      } finally {
        stop = true;
        resting.forEach(RawClient::close);
      }
    }
  }

  /** Those who ask, again and again. */
  private final class Load {
    private final TandemClient client;
    private final HttpClient http;
    private final InetSocketAddress httpAddress;
    private final ExecutorService threads;

    Load(
        TandemClient client,
        HttpClient http,
        InetSocketAddress httpAddress,
        ExecutorService threads) {
      this.client = client;
      this.http = http;
      this.httpAddress = httpAddress;
      this.threads = threads;
    }

    /** Afterwards no request is under way: what is left is not what somebody waits for. */
    void runFor(Duration time) throws Exception {
      stop = false;
      List<Future<?>> busy = new ArrayList<>();
      for (int i = 0; i < BUSY; i++) {
        boolean overHttp = i % 4 == 0;
        busy.add(
            threads.submit(() -> {
              while (!stop) {
                if (overHttp) {
                  askOverHttp(http, httpAddress);
                } else {
                  ask(client);
                }
                answers.incrementAndGet();
              }
              return null;
            }));
      }
      Thread.sleep(time);
      stop = true;
      for (Future<?> each : busy) {
        each.get();
      }
    }
  }

  private static ClientOptions options(InetSocketAddress address) {
    return ClientOptions.to("localhost", address.getPort()).connections(16).build();
  }

  private static void ask(TandemClient client) {
    GenerateRequest request =
        GenerateRequest.newBuilder()
            .setTokenIds(TokenIds.newBuilder().addIds(300))
            .setMaxTokens(200)
            .build();
    assertEquals(200, client.complete(request).join().finished().getUsage().getGeneratedTokens());
  }

  private static void askOverHttp(HttpClient http, InetSocketAddress address) throws Exception {
    HttpResponse<String> answer =
        http.send(
            HttpRequest.newBuilder(
                    URI.create("http://localhost:" + address.getPort() + "/v1/completions"))
                .header("Content-Type", "application/json")
                .POST(
                    HttpRequest.BodyPublishers.ofString(
                        "{\"prompt\":[300],\"max_tokens\":200,\"stream\":true}"))
                .build(),
            HttpResponse.BodyHandlers.ofString());
    assertEquals(200, answer.statusCode(), answer.body());
    assertTrue(answer.body().endsWith("data: [DONE]\n\n"), answer.body());
  }

  /** Bytes that are in use after a collection. */
  private static long heap() throws InterruptedException {
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(50);
    }
    return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
  }

  /** Netty's arenas, and what else is outside the heap. */
  private static long direct() {
    long pools =
        ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
            .filter(pool -> pool.getName().equals("direct"))
            .mapToLong(BufferPoolMXBean::getMemoryUsed)
            .sum();
    return pools
        + ((ByteBufAllocatorMetricProvider) ByteBufAllocator.DEFAULT).metric().usedDirectMemory();
  }
}
