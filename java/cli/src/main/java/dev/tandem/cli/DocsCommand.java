package dev.tandem.cli;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** {@code tandem docs}: docs/cli.md, from what the commands say of themselves. */
@Command(
    name = "docs",
    customSynopsis = "tandem docs",
    description = {"Prints the page docs/cli.md.", "", "It says what --help says of each command."},
    footer = {"", "Example:", "  tandem docs"},
    hidden = true)
final class DocsCommand implements Callable<Integer> {

  private static final String FENCE = "```\n";

  private final Streams streams;
  private final StringBuilder page = new StringBuilder();

  DocsCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    CommandSpec all = Main.all(streams).getCommandSpec();
    List<CommandSpec> commands = visible(all).toList();
    page.append("# The command tandem\n\n")
        .append(
            "<!-- Made by `./tandem docs >docs/cli.md`; a test compares it with the commands."
                + " -->\n\n");
    description(all);
    page.append(FENCE).append("tandem COMMAND [OPTIONS]\n").append(FENCE).append('\n');
    page.append("| Command | |\n| --- | --- |\n");
    for (CommandSpec command : commands) {
      String name = command.qualifiedName();
      row(
          "[" + name + "](#" + name.replace(' ', '-') + ")",
          command.usageMessage().description()[0]);
    }
    page.append("\nIts options, which all but `-V` may stand behind a command too:\n\n");
    options(all.options());
    examples(all);
    for (CommandSpec command : commands) {
      page.append("## ").append(command.qualifiedName()).append("\n\n");
      description(command);
      page.append(FENCE)
          .append(String.join("\n", command.usageMessage().customSynopsis()))
          .append('\n')
          .append(FENCE)
          .append('\n');
      parameters(command);
      options(command.options().stream().filter(option -> !option.inherited()).toList());
      examples(command);
    }
    streams.print(page.toString().stripTrailing() + "\n");
    return 0;
  }

  /** The commands that are no secret and do something, in the order of the help. */
  private static Stream<CommandSpec> visible(CommandSpec parent) {
    return parent.subcommands().values().stream()
        .map(CommandLine::getCommandSpec)
        .filter(command -> !command.usageMessage().hidden())
        .flatMap(
            command -> command.subcommands().isEmpty() ? Stream.of(command) : visible(command));
  }

  /** Lines are paragraphs; those that are indented are code. */
  private void description(CommandSpec command) {
    for (String line : command.usageMessage().description()) {
      page.append(line.startsWith("  ") ? "  " + format(line) : escaped(format(line)));
      page.append('\n');
    }
    page.append('\n');
  }

  private void parameters(CommandSpec command) {
    if (command.positionalParameters().isEmpty()) {
      return;
    }
    page.append("| Argument | |\n| --- | --- |\n");
    command.positionalParameters().forEach(p -> row(code(p.paramLabel()), text(p)));
    page.append('\n');
  }

  private void options(List<OptionSpec> options) {
    List<OptionSpec> sorted =
        options.stream()
            .filter(option -> !option.hidden())
            .sorted(Help.createShortOptionNameComparator())
            .toList();
    if (sorted.isEmpty()) {
      return;
    }
    page.append("| Option | |\n| --- | --- |\n");
    sorted.forEach(option -> row(names(option), text(option)));
    page.append('\n');
  }

  /** {@code -n}, {@code --predict=N}: the short name first. */
  private static String names(OptionSpec option) {
    String value = option.arity().max() == 0 ? "" : "=" + option.paramLabel();
    return Arrays.stream(option.names())
        .sorted(Comparator.comparing(String::length))
        .map(name -> code(name.equals(option.longestName()) ? name + value : name))
        .collect(Collectors.joining(", "));
  }

  private static String text(ArgSpec argument) {
    return String.join(" ", argument.description());
  }

  private void row(String name, String text) {
    page.append("| ").append(name.replace("|", "\\|")).append(" | ");
    page.append(escaped(format(text)).replace("|", "\\|")).append(" |\n");
  }

  /** Of a footer the indented lines are examples, between a heading and perhaps a word to add. */
  private void examples(CommandSpec command) {
    List<String> lines =
        Arrays.stream(command.usageMessage().footer()).map(DocsCommand::format).toList();
    page.append("Examples:\n\n").append(FENCE);
    lines.stream()
        .filter(line -> line.startsWith("  "))
        .forEach(line -> page.append(line.strip()).append('\n'));
    page.append(FENCE).append('\n');
    lines.stream()
        .filter(line -> !line.startsWith(" ") && !line.isEmpty() && !line.endsWith(":"))
        .forEach(line -> page.append(escaped(line)).append("\n\n"));
  }

  /** Picocli's texts are formats. */
  private static String format(String text) {
    return String.format(text);
  }

  private static String code(String text) {
    return "`" + text + "`";
  }

  /** So that a text is no markup. */
  private static String escaped(String text) {
    return text.replace("<", "&lt;").replace("*", "\\*").replace("`", "\\`");
  }
}
