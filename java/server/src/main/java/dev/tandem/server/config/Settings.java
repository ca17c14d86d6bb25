package dev.tandem.server.config;

import static dev.tandem.server.config.Setting.Group.HTTP;
import static dev.tandem.server.config.Setting.Group.LIMITS;
import static dev.tandem.server.config.Setting.Group.LOG;
import static dev.tandem.server.config.Setting.Group.MODEL;
import static dev.tandem.server.config.Setting.Group.NETWORK;
import static dev.tandem.server.config.Setting.Group.SECURITY;

import dev.tandem.engine.OnDeviceLoss;
import dev.tandem.engine.program.StepCapacity;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** All settings of a server. */
public final class Settings {

  private static final Duration LONGEST = Duration.ofHours(24);
  private static final Duration SHORTEST = Duration.ofMillis(100);
  private static final int MANY = 1_000_000;

  static final Setting<Optional<Path>> MODEL_FILE =
      Setting.open(
              "model",
              MODEL,
              Type.path(),
              "the built-in story model",
              "GGUF model (of a split one, any part).")
          .withShort("-m");

  static final Setting<Optional<String>> MODEL_NAME =
      Setting.open(
          "model-name",
          MODEL,
          Type.text("NAME"),
          "the name in the file",
          "What clients are told that the model is called.");

  static final Setting<Optional<Integer>> CONTEXT =
      Setting.open(
              "ctx-size",
              MODEL,
              Type.wholeNumber(1, 1 << 28),
              "what the model was trained for, at most 8192, as far as memory allows",
              "Tokens that prompt and answer of one request can have together.")
          .withShort("-c");

  static final Setting<Integer> PARALLEL =
      Setting.of(
          "parallel",
          MODEL,
          Type.wholeNumber(1, 1024),
          16,
          "Requests that are computed at the same time.");

  static final Setting<Optional<Long>> KV_MEMORY =
      Setting.open(
          "kv-memory",
          MODEL,
          Type.size(1 << 16),
          "what --parallel requests of --ctx-size tokens need, at most a quarter of the free"
              + " memory",
          "Size of the KV cache, which all requests share. A request that finds no room waits.");

  static final Setting<Integer> BATCH_TOKENS =
      Setting.of(
              "batch-tokens",
              MODEL,
              Type.wholeNumber(1, StepCapacity.MOST_TOKENS),
              512,
              "Tokens of all requests together that one step takes. Not fewer than --parallel.")
          .withShort("-b");

  static final Setting<String> DEVICE =
      Setting.of(
          "device",
          MODEL,
          Type.text("NAME"),
          "cpu",
          "Where it runs: cpu, cuda:0 (an NVIDIA GPU), or a GPU that the host plays, to try and not"
              + " to be fast: emulated:0/cuda by the kernels for GPUs, emulated:0/host by the"
              + " CPU's.");

  static final Setting<Optional<Long>> GPU_MEMORY =
      Setting.open(
          "gpu-memory",
          MODEL,
          Type.size(1 << 20),
          "what is free",
          "Most memory of the GPU to take. More than is free is an error.");

  static final Setting<OnDeviceLoss> ON_DEVICE_LOSS =
      Setting.of(
          "on-device-loss",
          MODEL,
          Type.choice("WHAT", OnDeviceLoss.class),
          OnDeviceLoss.FAIL,
          "What to do when a GPU fails for good: fail ends all requests, and the server is not"
              + " ready any more; cpu loads the model again, on the CPU, and texts go on where they"
              + " stopped.");

  static final Setting<Optional<Integer>> THREADS =
      Setting.open(
              "threads",
              MODEL,
              Type.wholeNumber(1, 1024),
              "one per physical core that this process may use",
              "Threads that compute.")
          .withShort("-t");

  static final Setting<Boolean> NO_REPACK =
      Setting.of(
          "no-repack",
          MODEL,
          Type.onOff(),
          false,
          "Compute from the file's own layout, mapped into memory: ready at once and shared between"
              + " processes, but slower.");

  static final Setting<Boolean> FAST_F16 =
      Setting.of(
          "fast-f16",
          MODEL,
          Type.onOff(),
          false,
          "Round F16 weights to BF16 while loading: prompts are read about twice as fast on"
              + " processors that multiply bf16, with BF16's accuracy.");

  static final Setting<String> HOST =
      Setting.of(
          "host",
          NETWORK,
          Type.text("ADDRESS"),
          "127.0.0.1",
          "Address to listen at. One that other machines reach needs tokens, or --insecure; 0.0.0.0"
              + " is all of them.");

  static final Setting<Integer> PORT =
      Setting.of(
          "port",
          NETWORK,
          Type.wholeNumber(0, 65_535),
          8077,
          "Port of the binary protocol; 0 = any free one.");

  static final Setting<Integer> HTTP_PORT =
      Setting.of(
          "http-port",
          NETWORK,
          Type.wholeNumber(0, 65_535),
          8080,
          "Port of the HTTP API and the web page; 0 = any free one.");

  static final Setting<Integer> CONNECTIONS =
      Setting.of(
          "connections",
          NETWORK,
          Type.wholeNumber(1, MANY),
          2048,
          "Connections at the same time, of both ports together.");

  static final Setting<Duration> IDLE_TIMEOUT =
      Setting.of(
          "idle-timeout",
          NETWORK,
          Type.duration(SHORTEST, LONGEST),
          Duration.ofMinutes(5),
          "A connection without a request is closed after so long.");

  static final Setting<Duration> HANDSHAKE_TIMEOUT =
      Setting.of(
          "handshake-timeout",
          NETWORK,
          Type.duration(SHORTEST, LONGEST),
          Duration.ofSeconds(10),
          "Most time for TLS, for the binary protocol's Hello, and for the header of an HTTP"
              + " request; its body, or a long message, has three times as long.");

  static final Setting<Duration> SLOW_READER_TIMEOUT =
      Setting.of(
          "slow-reader-timeout",
          NETWORK,
          Type.duration(SHORTEST, LONGEST),
          Duration.ofSeconds(30),
          "A request waits so long for a client that does not read its answer; then it is"
              + " cancelled.");

  static final Setting<Duration> DRAIN_TIMEOUT =
      Setting.of(
          "drain-timeout",
          NETWORK,
          Type.duration(Duration.ZERO, LONGEST),
          Duration.ofSeconds(30),
          "Most time that running requests have to finish when the server is told to end.");

  static final Setting<Integer> QUEUE =
      Setting.of(
          "queue",
          LIMITS,
          Type.wholeNumber(0, MANY),
          256,
          "Requests that wait beside those that are computed; further ones are refused with a time"
              + " to retry after.");

  static final Setting<Optional<Integer>> MAX_PROMPT_TOKENS =
      Setting.open(
          "max-prompt-tokens",
          LIMITS,
          Type.wholeNumber(1, 1 << 28),
          "the context",
          "Most tokens of a prompt.");

  static final Setting<Long> FRAME_SIZE =
      Setting.of(
          "frame-size",
          LIMITS,
          Type.size(1 << 10),
          4L << 20,
          "Largest message of the binary protocol, and largest HTTP body.");

  static final Setting<Integer> REQUESTS_PER_CONNECTION =
      Setting.of(
          "requests-per-connection",
          LIMITS,
          Type.wholeNumber(1, MANY),
          128,
          "Requests of one connection at the same time.");

  static final Setting<Optional<Path>> TOKEN_FILE =
      Setting.open(
          "token-file",
          SECURITY,
          Type.path(),
          "no token is needed",
          "Who may ask: lines of 'TOKEN [TENANT [PRIORITY]]'. Read again when it changes.");

  static final Setting<Optional<Secret>> TOKENS =
      Setting.open(
              "tokens",
              SECURITY,
              Type.secret("TOKENS"),
              "none",
              "The same as the lines of --token-file, with ';' or line ends between them.")
          .asSecret();

  static final Setting<Boolean> INSECURE =
      Setting.of(
          "insecure", SECURITY, Type.onOff(), false, "Let other machines ask without a token.");

  static final Setting<List<String>> ALLOWED_HOSTS =
      Setting.of(
          "allowed-hosts",
          SECURITY,
          Type.list("NAME"),
          List.of(),
          "Further names by which browsers may call a server that needs no token, besides"
              + " localhost; '*' = any.");

  static final Setting<Optional<Path>> TLS_CERT =
      Setting.open(
          "tls-cert",
          SECURITY,
          Type.path(),
          "no TLS",
          "Certificate in PEM, the server's own first, then those up to the authority. For both"
              + " ports; read again when it changes.");

  static final Setting<Optional<Path>> TLS_KEY =
      Setting.open(
          "tls-key",
          SECURITY,
          Type.path(),
          "no TLS",
          "The certificate's private key in PEM (PKCS#8, not encrypted).");

  static final Setting<List<String>> CORS_ORIGINS =
      Setting.of(
          "cors-origins",
          SECURITY,
          Type.list("ORIGIN"),
          List.of(),
          "Origins of web pages elsewhere that may ask, such as https://chat.example.org; '*' ="
              + " any.");

  static final Setting<Boolean> STRICT_MODEL =
      Setting.of(
          "strict-model",
          HTTP,
          Type.onOff(),
          false,
          "Answer 404 to requests that name another model.");

  static final Setting<Boolean> NO_WEB =
      Setting.of("no-web", HTTP, Type.onOff(), false, "Serve no web page.");

  static final Setting<LogFormat> LOG_FORMAT =
      Setting.of(
          "log-format",
          LOG,
          Type.choice("FORMAT", LogFormat.class),
          LogFormat.TEXT,
          "How lines of the log look: text for people, or json, one object per line for programs.");

  static final Setting<LogLevel> LOG_LEVEL =
      Setting.of(
          "log-level",
          LOG,
          Type.choice("LEVEL", LogLevel.class),
          LogLevel.INFO,
          "The least important lines that are logged: error, warn, info, debug or trace.");

  /** In the order of help and documentation. */
  public static final List<Setting<?>> ALL =
      List.of(
          MODEL_FILE,
          MODEL_NAME,
          CONTEXT,
          PARALLEL,
          KV_MEMORY,
          BATCH_TOKENS,
          DEVICE,
          GPU_MEMORY,
          ON_DEVICE_LOSS,
          THREADS,
          NO_REPACK,
          FAST_F16,
          HOST,
          PORT,
          HTTP_PORT,
          CONNECTIONS,
          IDLE_TIMEOUT,
          HANDSHAKE_TIMEOUT,
          SLOW_READER_TIMEOUT,
          DRAIN_TIMEOUT,
          QUEUE,
          MAX_PROMPT_TOKENS,
          FRAME_SIZE,
          REQUESTS_PER_CONNECTION,
          TOKEN_FILE,
          TOKENS,
          INSECURE,
          ALLOWED_HOSTS,
          TLS_CERT,
          TLS_KEY,
          CORS_ORIGINS,
          STRICT_MODEL,
          NO_WEB,
          LOG_FORMAT,
          LOG_LEVEL);

  private Settings() {}
}
