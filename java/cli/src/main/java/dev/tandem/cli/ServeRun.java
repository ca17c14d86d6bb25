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
import java.util.concurrent.CompletionException;

/** A server that runs in this process until a signal ends it. */
final class ServeRun {

  // bin/tandem keeps the log quiet by it; here somebody reads it.
  private static final String LOG_PROVIDER = "slf4j.provider";
  private static final String DEVICE = "device";

  private final Streams streams;

  ServeRun(Streams streams) {
    this.streams = streams;
  }

  /**
   * Serves until it is told to end.
   *
   * @param file of settings
   * @param flags by the settings' names
   * @param printConfig whether to print the settings instead
   * @return the exit code
   */
  int run(Optional<Path> file, Map<String, String> flags, boolean printConfig) {
    Configuration configuration = configuration(file, flags);
    ServerOptions options = ServerOptions.of(configuration);
    if (printConfig) {
      streams.print(configuration.print());
      return 0;
    }
    System.clearProperty(LOG_PROVIDER);
    LogSetup.configure(options.log(), streams.err());
    Path model = ModelOptions.file(options.model().file());
    ModelLoader loader =
        new ModelLoader(model, options, DeviceArguments.instructionSet().orElse(""));
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
  private static Configuration configuration(Optional<Path> file, Map<String, String> flags) {
    Optional.ofNullable(flags.get(DEVICE)).ifPresent(DeviceArguments::name);
    try {
      Configuration.of(Optional.empty(), Map.of(), flags);
    } catch (ConfigurationException e) {
      throw Failure.usage(e.getMessage());
    }
    return Configuration.of(file, System.getenv(), flags);
  }
}
