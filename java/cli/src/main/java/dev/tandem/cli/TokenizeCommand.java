package dev.tandem.cli;

import dev.tandem.cli.Table.Align;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.text.TokenBuffer;
import dev.tandem.text.Tokenizer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** {@code tandem tokenize}: a text as token ids. */
@Command(
    name = "tokenize",
    description = "Shows a text as the tokens that a model reads. A vocabulary-only file will do.",
    footer = {
      "",
      "Examples:",
      "  tandem tokenize \"Hello, world\"",
      "  tandem tokenize -m model.gguf --ids --special \"<|im_start|>user\"",
      "  printf 'one\\0two\\0' | tandem tokenize -m model.gguf -0 --ids"
    })
final class TokenizeCommand implements Callable<Integer> {

  private final Streams streams;
  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;
  @Mixin private ModelOptions model;

  @Parameters(
      arity = "0..1",
      paramLabel = "TEXT",
      description = "The text. Default: -f, else standard input.")
  private Optional<String> text = Optional.empty();

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Read the text from a file.")
  private Optional<Path> file = Optional.empty();

  @Option(names = "--bos", description = "Add what begins and ends a text by this model's rules.")
  private boolean bos;

  @Option(names = "--special", description = "Read the names of special tokens as those tokens.")
  private boolean special;

  @Option(names = "--ids", description = "Print the ids only, on one line.")
  private boolean idsOnly;

  @Option(
      names = {"-0", "--null"},
      description =
          "Read many texts, each ended by a NUL byte; print the ids of each on a line (needs"
              + " --ids).")
  private boolean many;

  TokenizeCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    if (text.isPresent() && file.isPresent()) {
      throw new ParameterException(
          spec.commandLine(), "the text is named twice: choose one of TEXT and -f");
    }
    if (many && !idsOnly) {
      throw new ParameterException(spec.commandLine(), "-0 prints ids only: add --ids");
    }
    Tokenizer tokenizer = Tokenizer.of(GgufFile.open(model.file()).metadata());
    StringBuilder lines = new StringBuilder();
    for (String each : texts()) {
      int[] ids = ids(tokenizer, each);
      if (idsOnly) {
        lines.append(
            Arrays.stream(ids).mapToObj(Integer::toString).collect(Collectors.joining(" ")));
        lines.append('\n');
      } else {
        lines.append(table(tokenizer, ids));
      }
    }
    streams.print(lines.toString());
    return 0;
  }

  private int[] ids(Tokenizer tokenizer, String each) {
    TokenBuffer ids = new TokenBuffer();
    if (bos) {
      ids.addAll(tokenizer.beginTokens());
    }
    ids.addAll(tokenizer.encode(each, special));
    if (bos) {
      ids.addAll(tokenizer.endTokens());
    }
    return ids.toArray();
  }

  private static Table table(Tokenizer tokenizer, int[] ids) {
    Table table = new Table(Align.RIGHT, Align.LEFT);
    for (int id : ids) {
      table.row(Integer.toString(id), piece(tokenizer, id));
    }
    return table;
  }

  /** The token's text in quotes, with what would disturb a line escaped. */
  private static String piece(Tokenizer tokenizer, int id) {
    String text = new String(tokenizer.vocabulary().bytes(id), StandardCharsets.UTF_8);
    StringBuilder escaped = new StringBuilder("'");
    text.codePoints()
        .forEach(c -> {
          switch (c) {
            case '\n' -> escaped.append("\\n");
            case '\r' -> escaped.append("\\r");
            case '\t' -> escaped.append("\\t");
            default -> {
              if (Character.isISOControl(c)) {
                escaped.append(String.format("\\u%04x", c));
              } else {
                escaped.appendCodePoint(c);
              }
            }
          }
        });
    return escaped.append('\'').toString();
  }

  private List<String> texts() {
    if (text.isPresent()) {
      return List.of(text.get());
    }
    byte[] bytes;
    try {
      bytes = file.isPresent() ? Files.readAllBytes(file.get()) : streams.in().readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    if (!many) {
      return List.of(new String(bytes, StandardCharsets.UTF_8));
    }
    List<String> texts = new ArrayList<>();
    int start = 0;
    for (int i = 0; i < bytes.length; i++) {
      if (bytes[i] == 0) {
        texts.add(new String(bytes, start, i - start, StandardCharsets.UTF_8));
        start = i + 1;
      }
    }
    if (start < bytes.length) {
      texts.add(new String(bytes, start, bytes.length - start, StandardCharsets.UTF_8));
    }
    return texts;
  }
}
