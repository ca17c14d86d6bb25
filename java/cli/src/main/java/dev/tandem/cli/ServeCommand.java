package dev.tandem.cli;

import dev.tandem.server.ModelLoader;
import dev.tandem.server.StartListener;
import dev.tandem.server.TandemServer;
import dev.tandem.server.config.Configuration;
import dev.tandem.server.config.ConfigurationException;
import dev.tandem.server.config.LogFormat;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.log.LogSetup;
import dev.tandem.server.log.StartLog;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletionException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code tandem serve}: a model for other programs. Its flags are those of {@link ServeFlags}. */
@Command(
    name = "serve",
    customSynopsis = "tandem serve [OPTIONS]",
    sortOptions = false,
    description = {
      "Serves a model to many clients at the same time.",
      "",
      "By HTTP as OpenAI's API has it (http://127.0.0.1:8080/v1), with a page to chat at"
          + " http://127.0.0.1:8080, and by a binary protocol of low latency. Listens at this"
          + " machine alone unless told otherwise.",
      "",
      "Every option can also be set in a YAML file (--config), by its long name without the dashes,"
          + " or in the environment: TANDEM_SERVE_HTTP_PORT is --http-port. A flag goes before the"
          + " environment, which goes before the file."
    },
    footer = {
      "",
      "Examples:",
      "  tandem serve -m model.gguf",
      "  tandem serve -m model.gguf --parallel 4 -c 4096 --kv-memory 2GiB",
      "  tandem serve -m model.gguf --host 0.0.0.0 --token-file tokens",
      "  tandem serve -m model.gguf --http-port 9000 --no-web --print-config",
      "  tandem serve --config tandem.yaml --log-format json",
      "",
      "Ctrl-C or SIGTERM lets running requests finish (--drain-timeout); a second one ends at"
          + " once.",
      "docs/operations.md tells the rest: tokens, TLS, metrics, systemd, containers."
    })
final class ServeCommand implements Callable<Integer> {

  // bin/tandem keeps the log quiet by it; here somebody reads it.
  private static final String LOG_PROVIDER = "slf4j.provider";

  @Option(
      names = "--config",
      paramLabel = "FILE",
      order = -2,
      description = "Settings in YAML: lines of 'http-port: 9000'.")
  private Optional<Path> config = Optional.empty();

  @Option(
      names = "--print-config",
      order = -1,
      description = "Print all settings as such a file, with where each comes from, and end.")
  private boolean printConfig;

  @Spec private CommandSpec spec;
  private final Streams streams;

  ServeCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    Configuration configuration = configuration();
    ServerOptions options = ServerOptions.of(configuration);
    if (printConfig) {
      streams.print(configuration.print());
      return 0;
    }
    System.clearProperty(LOG_PROVIDER);
    LogSetup.configure(options.log(), streams.err());
    Path model = ModelOptions.file(options.model().file());
    ModelLoader loader = new ModelLoader(model, options, RunOptions.instructionSet().orElse(""));
    try (EndSignals signals = new EndSignals(streams);
        ServeReport report = new ServeReport(streams, options)) {
      StartListener told =
          options.log().format() == LogFormat.JSON ? new StartLog(options) : report;
      try (TandemServer server = TandemServer.start(options, loader, told)) {
        return serve(server, signals, options);
      }
    }
  }

  private static int serve(TandemServer server, EndSignals signals, ServerOptions options) {
    server
        .ready()
        .whenComplete((ready, failure) -> {
          if (failure != null) {
            signals.end();
          }
        });
    try {
      signals.await();
      server.drain(options.network().drainTimeout());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    if (server.ready().isCompletedExceptionally()) {
      throw failure(server);
    }
    return 0;
  }

  private static RuntimeException failure(TandemServer server) {
    try {
      server.ready().join();
      throw new IllegalStateException("the model is loaded");
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        case Throwable cause -> throw new IllegalStateException(cause);
      }
    }
  }

  /** A value that was typed wrongly is wrong usage; one in the file or the environment is not. */
  private Configuration configuration() {
    Map<String, String> flags = ServeFlags.typed(spec.commandLine().getParseResult());
    try {
      Configuration.of(Optional.empty(), Map.of(), flags);
    } catch (ConfigurationException e) {
      throw Failure.usage(e.getMessage());
    }
    return Configuration.of(config, System.getenv(), flags);
  }
}
