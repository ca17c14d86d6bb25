package dev.tandem.cli;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.runtime.AbortFlag;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tandem logits}: the logits of given tokens, as a NumPy file. */
@Command(
    name = "logits",
    description =
        "Writes the logits of given tokens to a NumPy file: float32 [tokens, vocabulary]. No BOS is"
            + " added.",
    footer = {
      "",
      "Examples:",
      "  tandem logits --tokens 1344,369,439 -o logits.npy",
      "  tandem logits -m model.gguf --tokens-file ids.txt --last 1 -o last.npy"
    })
final class LogitsCommand implements Callable<Integer> {

  // Rows of logits that one step computes take no more than this.
  private static final long MOST_LOGITS_BYTES = 256L << 20;

  private final Streams streams;
  @Mixin private CommonOptions common;
  @Mixin private ModelOptions model;
  @Mixin private RunOptions run;

  @ArgGroup(multiplicity = "1")
  private Source source;

  private static final class Source {
    @Option(
        names = "--tokens",
        paramLabel = "IDS",
        required = true,
        description = "Token ids, separated by commas or spaces.")
    private Optional<String> list = Optional.empty();

    @Option(
        names = "--tokens-file",
        paramLabel = "FILE",
        required = true,
        description = "The same from a file.")
    private Optional<Path> file = Optional.empty();
  }

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      required = true,
      description = "Where the logits go.")
  private Path output;

  @Option(
      names = "--last",
      paramLabel = "N",
      description = "Only the rows of the last N tokens. Default: all.")
  private Optional<Integer> last = Optional.empty();

  LogitsCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    int[] tokens = tokens();
    int rows = Math.min(tokens.length, last.orElse(tokens.length));
    if (rows < 1) {
      throw new Main.FailureException("--last: " + rows + " rows are not possible; at least 1");
    }
    Model opened = Model.open(model.file());
    int vocabulary = opened.graph().hyperparameters().vocabulary();
    for (int token : tokens) {
      if (token < 0 || token >= vocabulary) {
        throw new Main.FailureException(
            "token %d is not in the vocabulary of %d tokens".formatted(token, vocabulary));
      }
    }
    int width = opened.graph().logits().width();
    int stepTokens = Math.min(run.batch(), tokens.length);
    int stepOutputs = Math.clamp(MOST_LOGITS_BYTES / (4L * width), 1, Math.min(stepTokens, rows));
    EngineOptions options =
        run.engine().withStep(stepTokens, stepOutputs).withKvTokens(tokens.length);
    try (ProgressBar loading = new ProgressBar(streams, "loading");
        Engine engine = Engine.load(opened, options, loading::update);
        ProgressBar reading = new ProgressBar(streams, "computing");
        AbortFlag flag = new AbortFlag();
        NpyWriter writer = new NpyWriter(output, rows, width)) {
      loading.hide();
      write(engine, tokens, tokens.length - rows, stepTokens, stepOutputs, flag, writer, reading);
    }
    streams.note("%s: float32 [%d, %d]".formatted(output, rows, width));
    return 0;
  }

  /** Steps without outputs up to the first row that is wanted, then steps of outputs alone. */
  private static void write(
      Engine engine,
      int[] tokens,
      int firstRow,
      int stepTokens,
      int stepOutputs,
      AbortFlag flag,
      NpyWriter writer,
      ProgressBar progress) {
    ByteBuffer row =
        ByteBuffer.allocateDirect(4 * engine.vocabulary()).order(ByteOrder.nativeOrder());
    KvSequence sequence = new KvSequence();
    for (int at = 0; at < tokens.length; ) {
      boolean wanted = at >= firstRow;
      int count =
          wanted ? Math.min(stepOutputs, tokens.length - at) : Math.min(stepTokens, firstRow - at);
      engine.begin();
      int output =
          engine.add(
              sequence, tokens, at, count, wanted ? Engine.Outputs.ALL : Engine.Outputs.NONE);
      engine.run(flag);
      for (int i = 0; wanted && i < count; i++) {
        row.clear();
        engine.readLogits(output + i, row);
        writer.write(row);
      }
      at += count;
      progress.update(at, tokens.length);
    }
  }

  private int[] tokens() {
    String text;
    try {
      text =
          source.file.isPresent() ? Files.readString(source.file.get()) : source.list.orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    String[] words = text.strip().split("[,\\s]+");
    if (words.length == 0 || words[0].isEmpty()) {
      throw new Main.FailureException("no tokens are given");
    }
    return Arrays.stream(words)
        .mapToInt(word -> {
          try {
            return Integer.parseInt(word);
          } catch (NumberFormatException e) {
            throw new Main.FailureException("'" + word + "' is no token id");
          }
        })
        .toArray();
  }
}
