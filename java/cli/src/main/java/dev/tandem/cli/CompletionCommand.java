package dev.tandem.cli;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.AutoComplete;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.Parameters;

/** {@code tandem completion}: a script for the shell that completes commands and options. */
@Command(
    name = "completion",
    customSynopsis = "tandem completion (bash | zsh)",
    description = {
      "Prints a script that completes commands.",
      "",
      "With it the Tab key completes the names of commands and options, file names, and the values"
          + " of options that have a fixed set of them.",
      "",
      "bash: write it where the package bash-completion looks for it, and open a new shell:",
      "",
      "  folder=~/.local/share/bash-completion/completions",
      "  mkdir -p $folder && tandem completion bash >$folder/tandem",
      "",
      "zsh, and bash without that package: add this line to ~/.zshrc or ~/.bashrc:",
      "",
      "  . <(tandem completion zsh)"
    },
    footer = {"", "Examples:", "  tandem completion bash", "  tandem completion zsh"})
final class CompletionCommand implements Callable<Integer> {

  private final Streams streams;

  @Parameters(
      paramLabel = "SHELL",
      description = "The shell: ${COMPLETION-CANDIDATES}. The script is the same.")
  private Shell shell;

  /** Those that can read the script. */
  enum Shell {
    BASH,
    ZSH;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  CompletionCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    CommandSpec all = Main.all(streams).getCommandSpec();
    streams.print(AutoComplete.bash(all.name(), new CommandLine(plain(all))));
    return 0;
  }

  /**
   * A command as Picocli's generator understands it: without groups of options, and with the plain
   * types of values instead of {@code Optional}s, of which it would complete no file names.
   */
  private static CommandSpec plain(CommandSpec command) {
    CommandSpec plain = CommandSpec.create().name(command.name());
    for (OptionSpec option : command.options()) {
      plain.addOption(
          OptionSpec.builder(option.names())
              .arity(option.arity().toString())
              .type(type(option))
              .completionCandidates(candidates(option).orElse(null)) // null: none, to Picocli
              // The generator names the variable with the candidates after it.
              .paramLabel(option.longestName().replaceFirst("^-+", ""))
              .hidden(option.hidden())
              .build());
    }
    for (PositionalParamSpec parameter : command.positionalParameters()) {
      plain.addPositional(
          PositionalParamSpec.builder()
              .index(parameter.index().toString())
              .arity(parameter.arity().toString())
              .type(type(parameter))
              .completionCandidates(candidates(parameter).orElse(null))
              .paramLabel(parameter.paramLabel())
              .build());
    }
    command
        .subcommands()
        .forEach((name, subcommand) -> {
          if (!subcommand.getCommandSpec().usageMessage().hidden()) {
            plain.addSubcommand(name, new CommandLine(plain(subcommand.getCommandSpec())));
          }
        });
    return plain;
  }

  private static Class<?> type(ArgSpec argument) {
    if (argument.arity().max() == 0) {
      return boolean.class;
    }
    return valueType(argument) == Path.class ? Path.class : String.class;
  }

  /** The values that an argument can have, if there is a fixed set of them. */
  static Optional<Iterable<String>> candidates(ArgSpec argument) {
    if (argument.completionCandidates() != null) {
      return Optional.of(argument.completionCandidates());
    }
    Class<?> type = valueType(argument);
    return type.isEnum() ? Optional.of(names(type)) : Optional.empty();
  }

  private static List<String> names(Class<?> enumeration) {
    return Arrays.stream(enumeration.getEnumConstants()).map(Object::toString).toList();
  }

  /** The type of a value, inside an {@code Optional} too. */
  private static Class<?> valueType(ArgSpec argument) {
    return Stream.of(argument.auxiliaryTypes()).findFirst().orElse(argument.type());
  }
}
