package dev.tandem.cli;

import dev.tandem.cli.Table.Align;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.text.TokenBuffer;
import dev.tandem.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code tandem tokenize}: a text as token ids. */
@Command(
    name = "tokenize",
    customSynopsis = "tandem tokenize [OPTIONS] [TEXT]",
    description = {
      "Shows a text as tokens.",
      "",
      "Prints the ids of the tokens that a model reads, and what they stand for. A vocabulary-only"
          + " file will do."
    },
    footer = {
      "",
      "Examples:",
      "  tandem tokenize \"Hello, world\"",
      "  tandem tokenize -m model.gguf --ids --special \"<|im_start|>user\"",
      "  printf 'one\\0two\\0' | tandem tokenize -m model.gguf -0 --ids"
    })
final class TokenizeCommand implements Callable<Integer> {

  private final Streams streams;
  @Mixin private ModelOptions model;

  @Parameters(
      arity = "0..1",
      paramLabel = "TEXT",
      description = "The text. Default: -f, else standard input.")
  private Optional<String> argument = Optional.empty();

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Read the text from a file, to its last byte.")
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
          "Read many texts from standard input (or -f), each ended by a NUL byte, and print the"
              + " ids of each on a line. Needs --ids.")
  private boolean many;

  TokenizeCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    if (argument.isPresent() && file.isPresent()) {
      throw Failure.usage("the text is named twice: choose one of TEXT and -f");
    }
    if (many && !idsOnly) {
      throw Failure.usage("-0 prints ids only: add --ids");
    }
    if (many && argument.isPresent()) {
      throw Failure.usage("-0 reads many texts from standard input or -f: leave out TEXT");
    }
    Tokenizer tokenizer = Tokenizer.of(GgufFile.open(model.file()).metadata());
    for (String text : texts()) {
      int[] ids = ids(tokenizer, text);
      streams.print(idsOnly ? line(ids) : table(tokenizer, ids).toString());
    }
    return 0;
  }

  private int[] ids(Tokenizer tokenizer, String text) {
    TokenBuffer ids = new TokenBuffer();
    if (bos) {
      ids.addAll(tokenizer.beginTokens());
    }
    ids.addAll(tokenizer.encode(text, special));
    if (bos) {
      ids.addAll(tokenizer.endTokens());
    }
    return ids.toArray();
  }

  private static String line(int[] ids) {
    StringBuilder line = new StringBuilder();
    for (int id : ids) {
      line.append(line.isEmpty() ? "" : " ").append(id);
    }
    return line.append('\n').toString();
  }

  private static Table table(Tokenizer tokenizer, int[] ids) {
    Table table = new Table(Align.RIGHT, Align.LEFT);
    for (int id : ids) {
      String piece = tokenizer.vocabulary().text(id);
      table.row(Integer.toString(id), "'" + Printable.line(piece) + "'");
    }
    return table;
  }

  private List<String> texts() {
    TextInput input = new TextInput(streams);
    if (!many) {
      return List.of(argument.orElseGet(() -> input.text(file)));
    }
    byte[] bytes = input.bytes(file);
    List<String> texts = new ArrayList<>();
    int start = 0;
    for (int i = 0; i <= bytes.length; i++) {
      // The last text need not be ended; nothing behind the last NUL is no text.
      if (i == bytes.length ? start < i : bytes[i] == 0) {
        byte[] text = Arrays.copyOfRange(bytes, start, i);
        texts.add(input.decode(text, "text " + (texts.size() + 1)));
        start = i + 1;
      }
    }
    return texts;
  }
}
