package dev.tandem.web;

import dev.tandem.server.BackendLoader;
import dev.tandem.server.ModelLoader;
import dev.tandem.server.StartListener;
import dev.tandem.server.TandemServer;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ServerOptions;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

/** The server itself, with the built-in model. */
final class RealServer implements AutoCloseable {

  private static final Path MODEL =
      Path.of("..", "cli", "src", "main", "dist", "models", "stories.gguf");
  private static final Map<String, String> FLAGS =
      Map.of("port", "0", "http-port", "0", "threads", "1", "parallel", "2");

  private final TandemServer server;

  private RealServer(ServerOptions options, UnaryOperator<BackendLoader> loader) {
    server =
        TandemServer.start(
            options, loader.apply(new ModelLoader(MODEL, options, "")), new StartListener() {});
  }

  /** Is not ready yet when this returns. */
  static RealServer start() {
    return start(loader -> loader);
  }

  /**
   * @param loader what to load with instead
   */
  static RealServer start(UnaryOperator<BackendLoader> loader) {
    return new RealServer(options(Map.of()), loader);
  }

  /** One that wants a token. */
  static RealServer withToken(String token) {
    return new RealServer(options(Map.of("TANDEM_SERVE_TOKENS", token)), loader -> loader);
  }

  private static ServerOptions options(Map<String, String> environment) {
    return ServerOptions.of(Configuration.of(Optional.empty(), environment, FLAGS));
  }

  RealServer awaitReady() throws Exception {
    server.ready().get(60, TimeUnit.SECONDS);
    return this;
  }

  /** Requests that wait or run. */
  int unfinished() {
    return server.desk().unfinished();
  }

  String url() {
    return "http://127.0.0.1:" + server.httpAddress().getPort() + "/";
  }

  @Override
  public void close() {
    server.close();
  }
}
