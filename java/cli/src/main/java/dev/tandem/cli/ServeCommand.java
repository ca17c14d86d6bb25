package dev.tandem.cli;

import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
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
    // In a class of its own: the help of all commands is made without what a server is made of.
    return new ServeRun(streams)
        .run(config, ServeFlags.typed(spec.commandLine().getParseResult()), printConfig);
  }
}
