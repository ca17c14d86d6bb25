package dev.tandem.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code tandem bench}: measures. */
@Command(
    name = "bench",
    customSynopsis = "tandem bench COMMAND [OPTIONS]",
    description = "Measures speed.",
    footer = {"", "Example:", "  tandem bench model -m model.gguf"},
    subcommands = {BenchModelCommand.class, BenchKernelsCommand.class, BenchServeCommand.class})
final class BenchCommand implements Callable<Integer> {

  private final Streams streams;
  @Spec private CommandSpec spec;

  BenchCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    return Main.missing(streams, spec.commandLine());
  }
}
