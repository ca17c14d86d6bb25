package dev.tandem.cli;

import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.TypeConversionException;
import picocli.CommandLine.UnmatchedArgumentException;

/** Reads the words of a command line, and says in one line what is wrong with them. */
final class Words {

  private Words() {}

  /** A file's path. */
  static Path path(String word) {
    if (word.isEmpty()) {
      throw new TypeConversionException("the name of the file is empty");
    }
    return Path.of(word);
  }

  static int wholeNumber(String word) {
    try {
      return Integer.parseInt(word);
    } catch (NumberFormatException e) {
      throw new TypeConversionException(notNumber(word, "whole number up to 2147483647"));
    }
  }

  static long longNumber(String word) {
    try {
      return Long.parseLong(word);
    } catch (NumberFormatException e) {
      throw new TypeConversionException(notNumber(word, "whole number of at most 64 bits"));
    }
  }

  static double number(String word) {
    try {
      return Double.parseDouble(word);
    } catch (NumberFormatException e) {
      throw new TypeConversionException(notNumber(word, "number"));
    }
  }

  private static String notNumber(String word, String kind) {
    return "'" + Printable.line(word, 40) + "' is no " + kind;
  }

  /** What is wrong, and what might be meant. */
  static String of(ParameterException problem) {
    CommandLine command = problem.getCommandLine();
    if (problem instanceof UnmatchedArgumentException unmatched) {
      return unmatched(unmatched.getUnmatched(), command.getCommandSpec());
    }
    if (problem.getClass() == ParameterException.class && problem.getArgSpec() != null) {
      Optional<Iterable<String>> values = CompletionCommand.candidates(problem.getArgSpec());
      if (values.isPresent()) {
        return none(problem.getArgSpec(), problem.getValue(), values.get());
      }
    }
    String message = Printable.line(String.valueOf(problem.getMessage()));
    return message.startsWith("Error: ") ? message.substring("Error: ".length()) : message;
  }

  /** An argument is none of the values that it can have. */
  private static String none(ArgSpec argument, String typed, Iterable<String> values) {
    String name =
        argument instanceof OptionSpec option ? option.longestName() : argument.paramLabel();
    return Failure.value(
            name, "'" + Printable.line(String.valueOf(typed), 40) + "'", String.join(", ", values))
        .getMessage();
  }

  private static String unmatched(List<String> words, CommandSpec command) {
    String word = words.getFirst();
    String shown = "'" + Printable.line(word, 40) + "'";
    if (word.startsWith("-") && word.length() > 1) {
      String name = word.contains("=") ? word.substring(0, word.indexOf('=')) : word;
      List<String> options = command.options().stream().map(OptionSpec::longestName).toList();
      return "there is no option "
          + shown
          + meant(name, options)
              .orElse(
                  !command.subcommands().isEmpty()
                      ? "; options of a command stand behind it"
                      : !command.positionalParameters().isEmpty()
                          ? "; a text that begins with - stands behind --"
                          : "");
    }
    if (!command.subcommands().isEmpty()) {
      List<String> visible =
          command.subcommands().values().stream()
              .map(CommandLine::getCommandSpec)
              .filter(c -> !c.usageMessage().hidden())
              .map(CommandSpec::name)
              .toList();
      return "there is no command " + shown + meant(word, visible).orElse("");
    }
    if (command.positionalParameters().isEmpty()) {
      return shown + " belongs to no option";
    }
    boolean isText =
        CompletionCommand.candidates(command.positionalParameters().getFirst()).isEmpty();
    return shown
        + " is one argument too many"
        + (isText ? ": a text of several words needs quotes" : "");
  }

  private static Optional<String> meant(String word, Collection<String> known) {
    return nearest(word, known).map(name -> "; did you mean '" + name + "'?");
  }

  /** The known word that is most like another, if one is. */
  static Optional<String> nearest(String word, Collection<String> known) {
    int most = Math.max(1, word.length() / 3);
    String best = null;
    int least = most + 1;
    for (String name : known) {
      boolean begins = name.length() > 3 && word.startsWith(name) || name.startsWith(word);
      int distance = begins ? 1 : distance(word, name);
      if (distance < least) {
        least = distance;
        best = name;
      }
    }
    return Optional.ofNullable(best);
  }

  /** Levenshtein's distance: insertions, deletions and replacements that make one the other. */
  private static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j < row.length; j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j < row.length; j++) {
        int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}
