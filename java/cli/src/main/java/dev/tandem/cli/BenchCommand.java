package dev.tandem.cli;

import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code tandem bench}: measures. */
@Command(name = "bench", description = "Measures speed.", subcommands = BenchModelCommand.class)
final class BenchCommand implements Runnable {

  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "what to measure is missing: model");
  }
}
