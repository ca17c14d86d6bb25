package dev.tandem.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.tandem.engine.EngineException;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ConfigurationException;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.Order;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.request.Reply;
import dev.tandem.server.request.ScriptedBackend;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.slf4j.LoggerFactory;

/** A server's life: ports, loading, draining, ending. */
@Timeout(120)
class TandemServerTest {

  private static final StartListener SILENT = new StartListener() {};

  private static ServerOptions options(String... words) {
    Map<String, String> flags = new HashMap<>(Map.of("port", "0", "http-port", "0"));
    for (int i = 0; i < words.length; i += 2) {
      flags.put(words[i], words[i + 1]);
    }
    return ServerOptions.of(Configuration.of(Optional.empty(), Map.of(), flags));
  }

  private static TandemServer start(BackendLoader backend, String... words) {
    return TandemServer.start(options(words), backend, SILENT);
  }

  private static void connect(int port) throws IOException {
    new Socket(InetAddress.getLoopbackAddress(), port).close();
  }

  private static Order order(int tokens) {
    GenerationOptions options = GenerationOptions.of(tokens, SamplingOptions.greedy());
    return new Order(
        "id",
        Caller.ANYBODY,
        new int[] {300},
        options,
        OptionalInt.of(tokens),
        0,
        Duration.ZERO,
        "rpc");
  }

  /** Remembers how a request ended. */
  private static final class Ending implements Reply {
    private final CompletableFuture<Outcome> end = new CompletableFuture<>();
    private final CountDownLatch first = new CountDownLatch(1);

    @Override
    public void token(int id, byte[] utf8, int length, Optional<TokenProbabilities> likely) {
      first.countDown();
    }

    @Override
    public void finished(Outcome outcome) {
      end.complete(outcome);
    }

    @Override
    public void failed(Refusal refusal) {
      end.completeExceptionally(refusal);
    }

    Generation.Reason reason() throws Exception {
      return end.get(30, TimeUnit.SECONDS).generation().reason();
    }
  }

  @Test
  void portsAreOpenBeforeTheModelIsLoaded() throws Exception {
    CountDownLatch go = new CountDownLatch(1);
    ScriptedBackend backend = ScriptedBackend.saying("a");
    CountDownLatch half = new CountDownLatch(1);
    BackendLoader loader =
        listener -> {
          listener.progress(1, 2);
          half.countDown();
          await(go);
          return backend;
        };
    try (TandemServer server = start(loader)) {
      connect(server.rpcAddress().getPort());
      connect(server.httpAddress().getPort());
      half.await();
      assertEquals(Desk.State.LOADING, server.desk().state());
      assertTrue(server.desk().detail().contains("50 %"), server.desk().detail());
      Refusal refusal = assertThrows(Refusal.class, () -> server.desk().ready());
      assertEquals(Problem.LOADING, refusal.problem());
      assertTrue(refusal.retryAfter().isPositive());
      assertFalse(server.ready().isDone());
      go.countDown();
      server.ready().get(30, TimeUnit.SECONDS);
      assertSame(backend, server.desk().ready());
    }
    assertTrue(backend.isClosed());
  }

  @Test
  void aModelThatCannotBeLoadedIsToldToAll() throws Exception {
    CompletableFuture<Throwable> told = new CompletableFuture<>();
    StartListener listener =
        new StartListener() {
          @Override
          public void failed(Throwable why) {
            told.complete(why);
          }
        };
    BackendLoader loader =
        unused -> {
          throw new IllegalStateException("no such model: /secret/path");
        };
    try (TandemServer server = TandemServer.start(options(), loader, listener)) {
      Throwable why =
          assertThrows(ExecutionException.class, () -> server.ready().get(30, TimeUnit.SECONDS))
              .getCause();
      assertEquals("no such model: /secret/path", why.getMessage());
      assertSame(why, told.get(30, TimeUnit.SECONDS));
      assertEquals(Desk.State.FAILED, server.desk().state());
      assertFalse(server.desk().detail().contains("secret"), "peers need not know the path");
      connect(server.httpAddress().getPort());
    }
  }

  @Test
  void whatNobodyExpectedIsInTheLogWithItsStack() {
    ILoggingEvent expected = logOfFailure(new EngineException("--kv-memory 1MiB holds 3 tokens"));
    assertEquals(
        "the model cannot be loaded: --kv-memory 1MiB holds 3 tokens",
        expected.getFormattedMessage());
    assertNull(expected.getThrowableProxy());
    ILoggingEvent defect = logOfFailure(new NullPointerException());
    assertEquals("the model cannot be loaded", defect.getFormattedMessage());
    assertEquals(NullPointerException.class.getName(), defect.getThrowableProxy().getClassName());
    assertTrue(defect.getThrowableProxy().getStackTraceElementProxyArray().length > 0);
  }

  private static ILoggingEvent logOfFailure(RuntimeException failure) {
    ListAppender<ILoggingEvent> log = new ListAppender<>();
    log.start();
    Logger logger = (Logger) LoggerFactory.getLogger(TandemServer.class);
    logger.addAppender(log);
    BackendLoader loader =
        unused -> {
          throw failure;
        };
    try (TandemServer server = start(loader)) {
      assertThrows(ExecutionException.class, () -> server.ready().get(30, TimeUnit.SECONDS));
    } finally {
      logger.detachAppender(log);
    }
    return log.list.stream()
        .filter(line -> line.getLevel() == Level.ERROR)
        .findFirst()
        .orElseThrow();
  }

  @Test
  void aListenerThatFailsLeavesNobodyWaiting() {
    StartListener listener =
        new StartListener() {
          @Override
          public void failed(Throwable why) {
            throw new IllegalStateException("the listener's", why);
          }
        };
    BackendLoader loader =
        unused -> {
          throw new EngineException("no such model");
        };
    try (TandemServer server = TandemServer.start(options(), loader, listener)) {
      assertThrows(ExecutionException.class, () -> server.ready().get(30, TimeUnit.SECONDS));
    }
  }

  @Test
  void aPortInUseIsNamedWithItsFlag() throws Exception {
    try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
      String port = String.valueOf(taken.getLocalPort());
      for (String setting : List.of("port", "http-port")) {
        ServerException refusal =
            assertThrows(
                ServerException.class, () -> start(unused -> neverLoaded(), setting, port));
        assertEquals(
            "port %s of 127.0.0.1 cannot be opened: another program has it; choose another with --%s (0 = any free one)"
                .formatted(port, setting),
            refusal.getMessage());
      }
    }
    assertNoThreads();
  }

  private static Backend neverLoaded() {
    throw new AssertionError("loaded");
  }

  @Test
  void addressesThatAreNotOursAreErrors() {
    ServerException refusal =
        assertThrows(
            ServerException.class,
            () -> start(unused -> neverLoaded(), "host", "192.0.2.1", "insecure", "true"));
    assertTrue(refusal.getMessage().startsWith("port 0 of 192.0.2.1 cannot be opened: "));
  }

  @Test
  void otherMachinesNeedATokenOrTheWordThatTheyDoNot() {
    for (String host : List.of("0.0.0.0", "::", "192.0.2.1")) {
      ConfigurationException refusal =
          assertThrows(
              ConfigurationException.class, () -> start(unused -> neverLoaded(), "host", host));
      assertTrue(refusal.getMessage().contains("--token-file, or --insecure"));
    }
    Backend backend = ScriptedBackend.saying("a");
    start(unused -> backend, "host", "0.0.0.0", "insecure", "true").close();
    start(unused -> backend, "host", "::1").close();
    start(unused -> backend, "host", "localhost").close();
  }

  @Test
  void tokensComeFromOnePlace() {
    Configuration both =
        Configuration.of(
            Optional.empty(),
            Map.of("TANDEM_SERVE_TOKENS", "a-token-that-is-long"),
            Map.of("token-file", "/none", "port", "0", "http-port", "0"));
    ConfigurationException refusal =
        assertThrows(
            ConfigurationException.class,
            () -> TandemServer.start(ServerOptions.of(both), unused -> neverLoaded(), SILENT));
    assertTrue(refusal.getMessage().contains("choose one"));
    assertNoThreads();
  }

  @Test
  void drainingLetsRequestsFinishAndTakesNoMore() throws Exception {
    Semaphore permits = new Semaphore(0);
    ScriptedBackend backend = ScriptedBackend.endless().paced(permits);
    try (TandemServer server = start(unused -> backend)) {
      server.ready().get(30, TimeUnit.SECONDS);
      Ending ending = new Ending();
      server.desk().submit(order(3), ending);
      permits.release(1);
      ending.first.await();
      CompletableFuture<Boolean> drained =
          CompletableFuture.supplyAsync(() -> {
            try {
              return server.drain(Duration.ofSeconds(60));
            } catch (InterruptedException e) {
              throw new CompletionException(e);
            }
          });
      while (server.desk().state() != Desk.State.DRAINING) {
        Thread.onSpinWait();
      }
      Refusal refusal =
          assertThrows(Refusal.class, () -> server.desk().submit(order(1), new Ending()));
      assertEquals(Problem.UNAVAILABLE, refusal.problem());
      assertTrue(refusal.retryAfter().isPositive());
      connect(server.rpcAddress().getPort());
      assertFalse(drained.isDone());
      permits.release(2);
      assertEquals(Generation.Reason.LENGTH, ending.reason());
      assertTrue(drained.get(30, TimeUnit.SECONDS));
    }
    assertNoThreads();
  }

  @Test
  void whatDoesNotFinishInTimeIsCancelled() throws Exception {
    Semaphore permits = new Semaphore(1);
    Ending ending = new Ending();
    ScriptedBackend backend = ScriptedBackend.endless().paced(permits);
    try (TandemServer server = start(unused -> backend)) {
      server.ready().get(30, TimeUnit.SECONDS);
      server.desk().submit(order(100), ending);
      ending.first.await();
      assertFalse(server.drain(Duration.ofMillis(50)));
    }
    assertEquals(Generation.Reason.CANCELLED, ending.reason());
    assertEquals(0, backend.running());
    assertTrue(backend.isClosed());
    assertNoThreads();
  }

  @Test
  void closingWhileTheModelIsLoadedEndsThat() throws Exception {
    CountDownLatch loading = new CountDownLatch(1);
    BackendLoader loader =
        unused -> {
          loading.countDown();
          await(new CountDownLatch(1));
          return neverLoaded();
        };
    TandemServer server = start(loader);
    loading.await();
    server.close();
    server.close();
    Throwable why =
        assertThrows(ExecutionException.class, () -> server.ready().get(30, TimeUnit.SECONDS));
    assertInstanceOf(IllegalStateException.class, why.getCause());
    assertThrows(IOException.class, () -> connect(server.rpcAddress().getPort()));
    assertNoThreads();
  }

  @Test
  void whatIsLoadedTooLateIsGivenBack() throws Exception {
    ScriptedBackend backend = ScriptedBackend.saying("a");
    CountDownLatch loading = new CountDownLatch(1);
    CountDownLatch go = new CountDownLatch(1);
    BackendLoader loader =
        unused -> {
          loading.countDown();
          while (true) { // as one that does not hear of interrupts
            try {
              go.await();
              return backend;
            } catch (InterruptedException e) {
              go.countDown();
            }
          }
        };
    TandemServer server = start(loader);
    loading.await();
    server.close();
    assertTrue(backend.isClosed());
    assertNoThreads();
  }

  @Test
  void whatIsLoadedWhileItDrainsIsGivenBackToo() throws Exception {
    ScriptedBackend backend = ScriptedBackend.saying("a");
    CountDownLatch go = new CountDownLatch(1);
    BackendLoader loader =
        unused -> {
          await(go);
          return backend;
        };
    try (TandemServer server = start(loader)) {
      assertTrue(server.drain(Duration.ofSeconds(1)));
      go.countDown();
      server.ready().get(30, TimeUnit.SECONDS);
      Refusal refusal = assertThrows(Refusal.class, () -> server.desk().ready());
      assertEquals(Problem.UNAVAILABLE, refusal.problem());
      assertFalse(backend.isClosed());
    }
    assertTrue(backend.isClosed());
    assertNoThreads();
  }

  @Test
  void aListenerThatFailsLeavesNothingOpen() {
    StartListener listener =
        new StartListener() {
          @Override
          public void listening(TandemServer server) {
            throw new IllegalStateException("nobody hears it");
          }
        };
    IllegalStateException failure =
        assertThrows(
            IllegalStateException.class,
            () -> TandemServer.start(options(), unused -> neverLoaded(), listener));
    assertEquals("nobody hears it", failure.getMessage());
    assertNoThreads();
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  /** Netty's own threads end by themselves a moment after they are asked to. */
  private static void assertNoThreads() {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
    List<String> left = threads();
    while (!left.isEmpty() && System.nanoTime() < end) {
      Thread.onSpinWait();
      left = threads();
    }
    assertEquals(List.of(), left);
  }

  private static List<String> threads() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(Thread::isAlive)
        .map(Thread::getName)
        .filter(name -> name.startsWith("tandem-"))
        .toList();
  }
}
