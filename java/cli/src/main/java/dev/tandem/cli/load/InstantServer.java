package dev.tandem.cli.load;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.server.StartListener;
import dev.tandem.server.TandemServer;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.text.Tokenizer;
import java.net.URI;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** A server in this process that answers at once: see {@link InstantBackend}. */
public final class InstantServer implements AutoCloseable {

  private static final Map<String, String> ANY_PORTS = Map.of("port", "0", "http-port", "0");

  private final TandemServer server;

  /**
   * @param model any; its tokenizer is used
   */
  public InstantServer(Path model) {
    Tokenizer tokenizer = Tokenizer.of(GgufFile.open(model).metadata());
    ServerOptions options =
        ServerOptions.of(Configuration.of(Optional.empty(), Map.of(), ANY_PORTS));
    server =
        TandemServer.start(
            options, loading -> new InstantBackend(tokenizer), new StartListener() {});
    server.ready().join();
  }

  /** Where the binary protocol is spoken: {@code host:port}. */
  public String rpc() {
    return "localhost:" + server.rpcAddress().getPort();
  }

  /** Where HTTP is spoken. */
  public URI http() {
    return URI.create("http://localhost:" + server.httpAddress().getPort());
  }

  @Override
  public void close() {
    server.close();
  }
}
