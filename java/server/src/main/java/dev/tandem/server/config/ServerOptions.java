package dev.tandem.server.config;

import dev.tandem.engine.OnDeviceLoss;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** How a server runs. */
public record ServerOptions(
    Model model, Network network, Limits limits, Security security, Http http, Log log) {

  private static final String CPU = "cpu";

  /**
   * What is computed.
   *
   * @param file in GGUF
   * @param name for clients; empty = as the file says
   * @param context tokens of one request; empty = as the model was trained, as far as memory allows
   * @param parallel requests that are computed at the same time
   * @param kvMemory bytes of the KV cache; empty = what {@code parallel} requests need, within
   *     reason
   * @param batchTokens tokens that one step takes
   * @param device where: {@code cpu}
   * @param gpuMemory bytes that it may take of a GPU; empty = what is free
   * @param onDeviceLoss what to do when a GPU fails for good
   * @param threads that compute; empty = a thread per physical core
   * @param noRepack whether weights stay in the mapped file
   * @param fastF16 whether F16 weights become BF16
   */
  public record Model(
      Optional<Path> file,
      Optional<String> name,
      Optional<Integer> context,
      int parallel,
      Optional<Long> kvMemory,
      int batchTokens,
      String device,
      Optional<Long> gpuMemory,
      OnDeviceLoss onDeviceLoss,
      Optional<Integer> threads,
      boolean noRepack,
      boolean fastF16) {}

  /**
   * Where it listens, and for how long.
   *
   * @param host an address of this machine
   * @param port of the binary protocol; 0 = any
   * @param httpPort of HTTP; 0 = any
   * @param connections at the same time, of both ports
   * @param idleTimeout of a connection without requests
   * @param handshakeTimeout until a connection, or a request, has said what it wants
   * @param slowReaderTimeout for a client that does not read
   * @param drainTimeout for requests that run when the server is told to end
   */
  public record Network(
      String host,
      int port,
      int httpPort,
      int connections,
      Duration idleTimeout,
      Duration handshakeTimeout,
      Duration slowReaderTimeout,
      Duration drainTimeout) {}

  /**
   * What it takes.
   *
   * @param queue requests that wait
   * @param promptTokens of a request; empty = as many as the context has
   * @param frameBytes of a message of the binary protocol, and of an HTTP body
   * @param requestsPerConnection at the same time
   */
  public record Limits(
      int queue, Optional<Integer> promptTokens, int frameBytes, int requestsPerConnection) {}

  /**
   * Whom it serves.
   *
   * @param tokenFile lines of tokens
   * @param tokens the same by the environment
   * @param insecure whether other machines may ask without a token
   * @param allowedHosts further names of this server
   * @param certificate in PEM
   * @param key in PEM
   * @param corsOrigins of web pages that may ask
   */
  public record Security(
      Optional<Path> tokenFile,
      Optional<Secret> tokens,
      boolean insecure,
      List<String> allowedHosts,
      Optional<Path> certificate,
      Optional<Path> key,
      List<String> corsOrigins) {}

  /**
   * @param strictModel whether requests must name the right model, or none
   * @param web whether there is a web page
   */
  public record Http(boolean strictModel, boolean web) {}

  /** What is logged. */
  public record Log(LogFormat format, LogLevel level) {}

  /**
   * From what people set.
   *
   * @throws ConfigurationException if settings do not go together
   */
  public static ServerOptions of(Configuration configuration) {
    int parallel = configuration.get(Settings.PARALLEL);
    int batch = configuration.get(Settings.BATCH_TOKENS);
    if (batch < parallel) {
      throw new ConfigurationException(
          ("--batch-tokens %d is less than --parallel %d: a step takes at least one token of each"
                  + " request")
              .formatted(batch, parallel));
    }
    if (configuration.get(Settings.FAST_F16) && configuration.get(Settings.NO_REPACK)) {
      throw new ConfigurationException(
          "--fast-f16 converts weights while they are loaded: leave out --no-repack");
    }
    if (configuration.get(Settings.GPU_MEMORY).isPresent()
        && configuration.get(Settings.DEVICE).equals(CPU)) {
      throw new ConfigurationException(
          "--gpu-memory is for GPUs, and --device is cpu: name one (cuda:0), or leave it out");
    }
    if (configuration.get(Settings.TLS_CERT).isPresent()
        != configuration.get(Settings.TLS_KEY).isPresent()) {
      throw new ConfigurationException(
          "--tls-cert and --tls-key belong together: one of them is missing");
    }
    WebNames.requireHosts(Settings.ALLOWED_HOSTS.flag(), configuration.get(Settings.ALLOWED_HOSTS));
    WebNames.requireOrigins(Settings.CORS_ORIGINS.flag(), configuration.get(Settings.CORS_ORIGINS));
    long frame = configuration.get(Settings.FRAME_SIZE);
    if (frame > 1 << 30) {
      throw new ConfigurationException(
          "--frame-size " + Quantity.size(frame) + " is not possible: at most 1GiB");
    }
    return new ServerOptions(
        new Model(
            configuration.get(Settings.MODEL_FILE),
            configuration.get(Settings.MODEL_NAME),
            configuration.get(Settings.CONTEXT),
            parallel,
            configuration.get(Settings.KV_MEMORY),
            batch,
            configuration.get(Settings.DEVICE),
            configuration.get(Settings.GPU_MEMORY),
            configuration.get(Settings.ON_DEVICE_LOSS),
            configuration.get(Settings.THREADS),
            configuration.get(Settings.NO_REPACK),
            configuration.get(Settings.FAST_F16)),
        new Network(
            configuration.get(Settings.HOST),
            configuration.get(Settings.PORT),
            configuration.get(Settings.HTTP_PORT),
            configuration.get(Settings.CONNECTIONS),
            configuration.get(Settings.IDLE_TIMEOUT),
            configuration.get(Settings.HANDSHAKE_TIMEOUT),
            configuration.get(Settings.SLOW_READER_TIMEOUT),
            configuration.get(Settings.DRAIN_TIMEOUT)),
        new Limits(
            configuration.get(Settings.QUEUE),
            configuration.get(Settings.MAX_PROMPT_TOKENS),
            (int) frame,
            configuration.get(Settings.REQUESTS_PER_CONNECTION)),
        new Security(
            configuration.get(Settings.TOKEN_FILE),
            configuration.get(Settings.TOKENS),
            configuration.get(Settings.INSECURE),
            configuration.get(Settings.ALLOWED_HOSTS),
            configuration.get(Settings.TLS_CERT),
            configuration.get(Settings.TLS_KEY),
            configuration.get(Settings.CORS_ORIGINS)),
        new Http(configuration.get(Settings.STRICT_MODEL), !configuration.get(Settings.NO_WEB)),
        new Log(configuration.get(Settings.LOG_FORMAT), configuration.get(Settings.LOG_LEVEL)));
  }
}
