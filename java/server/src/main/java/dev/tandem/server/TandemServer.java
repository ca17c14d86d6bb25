package dev.tandem.server;

import dev.tandem.engine.EngineException;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.protocol.Loops;
import dev.tandem.runtime.RuntimeFailure;
import dev.tandem.server.config.ConfigurationException;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.http.HttpInitializer;
import dev.tandem.server.log.RequestLog;
import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.BackendLoad;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.DeskObservers;
import dev.tandem.server.rpc.RpcInitializer;
import dev.tandem.server.transport.ConnectionLimit;
import dev.tandem.text.chat.ChatTemplateException;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running server: both ports, which are open from the start, and the model behind them, which is
 * loaded meanwhile. Safe for use from many threads.
 */
public final class TandemServer implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(TandemServer.class);

  private static final String NAME = "tandem";
  private static final Duration RETRY_AFTER = Duration.ofSeconds(1);
  private static final Duration CANCELLED =
      Duration.ofSeconds(5); // a cancelled request ends sooner
  private static final int BACKLOG = 1024;

  private final ServerOptions options;
  private final ScheduledExecutorService timer;
  private final Metrics metrics;
  private final Desk desk;
  private final Loops loops;
  private final CompletableFuture<Void> ready = new CompletableFuture<>();
  private final Thread loader;
  private final InetSocketAddress rpcAddress;
  private final InetSocketAddress httpAddress;
  private volatile boolean closing;
  private boolean closed; // guarded by this

  /**
   * Starts a server for the model that the options name; it may have to be loaded yet when this
   * returns.
   *
   * @throws ConfigurationException if the options are not possible together
   * @throws dev.tandem.server.security.SecurityFileException if tokens, key or certificate cannot
   *     be used
   * @throws ServerException if a port cannot be opened
   */
  public static TandemServer start(ServerOptions options) {
    Path model =
        options
            .model()
            .file()
            .orElseThrow(
                () -> new ConfigurationException("a model is missing: name one (--model)"));
    return start(options, new ModelLoader(model, options, ""), new StartListener() {});
  }

  /**
   * The same for anything that generates.
   *
   * @param listener hears how it goes
   */
  public static TandemServer start(
      ServerOptions options, BackendLoader backend, StartListener listener) {
    ScheduledExecutorService timer =
        Executors.newSingleThreadScheduledExecutor(new DefaultThreadFactory("tandem-watch", true));
    try {
      Access access = Access.of(options, timer);
      TandemServer server = new TandemServer(options, access, timer, backend, listener);
      server.begin(listener);
      return server;
    } catch (RuntimeException | Error e) {
      timer.shutdownNow();
      throw e;
    }
  }

  private void begin(StartListener listener) {
    try {
      listener.listening(this);
      loader.start();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  private TandemServer(
      ServerOptions options,
      Access access,
      ScheduledExecutorService timer,
      BackendLoader backend,
      StartListener listener) {
    this.options = options;
    this.timer = timer;
    DeskLimits limits =
        new DeskLimits(
            options.model().parallel(),
            options.limits().queue(),
            options.limits().promptTokens().orElse(Integer.MAX_VALUE),
            RETRY_AFTER);
    metrics = new Metrics(this::backendLoad);
    desk = new Desk(limits, new DeskObservers(metrics, new RequestLog()));
    loops = new Loops(loopThreads(), new DefaultThreadFactory("tandem-io"));
    loader =
        Thread.ofPlatform().daemon().name("tandem-load").unstarted(() -> load(backend, listener));
    ConnectionLimit limit =
        new ConnectionLimit(options.network().connections(), metrics::connectionRefused);
    try {
      rpcAddress = open(access, "--port", options.network().port(), rpcInitializer(access, limit));
      httpAddress =
          open(access, "--http-port", options.network().httpPort(), httpInitializer(access, limit));
    } catch (RuntimeException | Error e) {
      loops.close();
      desk.close();
      metrics.close();
      throw e;
    }
  }

  /** They only read, write and parse: few, since kernels need the cores. */
  private static int loopThreads() {
    return Math.clamp(Runtime.getRuntime().availableProcessors() / 4, 2, 4);
  }

  private Optional<BackendLoad> backendLoad() {
    return desk.backend().map(Backend::load);
  }

  private ChannelInitializer<SocketChannel> rpcInitializer(Access access, ConnectionLimit limit) {
    return new RpcInitializer(
        desk,
        PortOptions.rpc(options),
        access.authenticator(),
        access.tls(),
        NAME,
        limit,
        channel -> {
          metrics.connectionOpened("rpc");
          channel.closeFuture().addListener(done -> metrics.connectionClosed("rpc"));
        });
  }

  private ChannelInitializer<SocketChannel> httpInitializer(Access access, ConnectionLimit limit) {
    return new HttpInitializer(
        desk,
        PortOptions.http(options, access.rules()),
        access.authenticator(),
        access.tls(),
        metrics,
        limit);
  }

  private InetSocketAddress open(
      Access access, String flag, int port, ChannelInitializer<SocketChannel> initializer) {
    InetSocketAddress address = new InetSocketAddress(access.address(), port);
    ChannelFuture bound =
        loops
            .server(initializer)
            .option(ChannelOption.SO_BACKLOG, BACKLOG)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new ServerException(
          "port %d of %s cannot be opened: %s; choose another with %s (0 = any free one)"
              .formatted(port, access.address().getHostAddress(), reason(bound.cause()), flag),
          bound.cause());
    }
    return (InetSocketAddress) bound.channel().localAddress();
  }

  private static String reason(Throwable cause) {
    String message = String.valueOf(cause.getMessage());
    return message.contains("in use") ? "another program has it" : message;
  }

  private void load(BackendLoader backend, StartListener listener) {
    long started = System.nanoTime();
    try {
      Backend loaded = backend.load(new Progress(listener));
      if (!hand(loaded)) {
        loaded.close(); // too late
        return;
      }
      listener.ready(loaded.card(), Duration.ofNanos(System.nanoTime() - started));
      ready.complete(null);
    } catch (RuntimeException | Error e) {
      try {
        if (!closing) {
          logFailure(e);
          desk.fail("the model cannot be loaded");
          listener.failed(e);
        }
      } finally {
        ready.completeExceptionally(e);
      }
    }
  }

  /** In a line what can happen to anybody, and with its stack what nobody expected. */
  private static void logFailure(Throwable failure) {
    switch (failure) {
      case ModelFormatException e -> logFailure(e.getMessage());
      case EngineException e -> logFailure(e.getMessage());
      case RuntimeFailure e -> logFailure(e.getMessage());
      case ChatTemplateException e -> logFailure(e.getMessage());
      case ConfigurationException e -> logFailure(e.getMessage());
      case UncheckedIOException e -> logFailure(e.getMessage());
      case UnsatisfiedLinkError e -> logFailure(e.getMessage()); // which names the library
      default -> log.error("the model cannot be loaded", failure);
    }
  }

  private static void logFailure(String message) {
    log.error("the model cannot be loaded: {}", message);
  }

  /** Gives the desk what generates, unless the server is being closed. */
  private synchronized boolean hand(Backend loaded) {
    if (closing) {
      return false;
    }
    desk.open(loaded);
    return true;
  }

  /** Tells the desk too how far it is. */
  private final class Progress implements StartListener {
    private final StartListener listener;

    Progress(StartListener listener) {
      this.listener = listener;
    }

    @Override
    public void planned(MemoryPlan plan) {
      listener.planned(plan);
    }

    @Override
    public void progress(long loaded, long total) {
      if (total > 0) {
        desk.progress("the model is being loaded: %d %%".formatted(100 * loaded / total));
      }
      listener.progress(loaded, total);
    }
  }

  /** Where the binary protocol is spoken. */
  public InetSocketAddress rpcAddress() {
    return rpcAddress;
  }

  /** Where HTTP is spoken. */
  public InetSocketAddress httpAddress() {
    return httpAddress;
  }

  /** Whether both ports speak TLS. */
  public boolean hasTls() {
    return options.security().certificate().isPresent();
  }

  /** What all requests go through. */
  public Desk desk() {
    return desk;
  }

  /** Done when requests are served; fails if the model cannot be loaded. */
  public CompletableFuture<Void> ready() {
    return ready.copy();
  }

  /**
   * Refuses new requests, and waits for those that run. Ports stay open, so that refusals are
   * heard.
   *
   * @return whether all have ended, within that time
   */
  public boolean drain(Duration most) throws InterruptedException {
    desk.drain();
    log.atInfo().addKeyValue("requests", desk.unfinished()).log("ending: new requests are refused");
    boolean ended = desk.awaitIdle(most);
    if (!ended) {
      log.warn(
          "{} requests did not finish within {} s and are cancelled (--drain-timeout)",
          desk.unfinished(),
          most.toSeconds());
    }
    return ended;
  }

  /** Cancels what runs, closes ports and connections, and gives back all memory and threads. */
  @Override
  public void close() {
    synchronized (this) {
      if (closed) {
        return;
      }
      closed = true;
      closing = true;
    }
    loader.interrupt();
    desk.close();
    boolean interrupted = awaitCancelled();
    loops.close();
    timer.shutdownNow();
    interrupted |= joinLoader();
    metrics.close();
    desk.backend().ifPresent(Backend::close);
    log.info("ended");
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private boolean awaitCancelled() {
    try {
      desk.awaitIdle(CANCELLED);
      return false;
    } catch (InterruptedException e) {
      return true;
    }
  }

  private boolean joinLoader() {
    try {
      loader.join();
      return false;
    } catch (InterruptedException e) {
      return true;
    }
  }
}
