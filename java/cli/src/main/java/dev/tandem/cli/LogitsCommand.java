package dev.tandem.cli;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.model.Model;
import dev.tandem.runtime.AbortFlag;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
    customSynopsis = "tandem logits [OPTIONS] (--tokens=IDS | --tokens-file=FILE) -o=FILE",
    description = {
      "Writes the logits of given tokens to a NumPy file.",
      "",
      "The file has float32 values: a row per token, as wide as the vocabulary. No BOS is added."
    },
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
        description = "The same from a file; line ends separate too.")
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
    if (last.orElse(1) < 1) {
      throw Failure.value("--last", last.get(), "at least 1 row");
    }
    int[] tokens = tokens();
    int rows = Math.min(tokens.length, last.orElse(tokens.length));
    Model opened = Model.open(model.file());
    check(tokens, opened.graph().hyperparameters().vocabulary());
    int width = opened.graph().logits().width();
    int stepTokens = Math.min(run.batch(), tokens.length);
    int stepOutputs = Math.clamp(MOST_LOGITS_BYTES / (4L * width), 1, Math.min(stepTokens, rows));
    EngineOptions options =
        run.engine().withStep(stepTokens, stepOutputs).withKvTokens(tokens.length);
    // The file first: if it cannot be written, that is known before a large model is loaded.
    try (NpyWriter writer = new NpyWriter(output, rows, width);
        ProgressBar loading = new ProgressBar(streams, "loading");
        Engine engine = Engine.load(opened, options, loading::update);
        ProgressBar computing = new ProgressBar(streams, "computing");
        AbortFlag flag = new AbortFlag()) {
      engine.awaitLoaded();
      loading.hide();
      write(engine, tokens, tokens.length - rows, stepTokens, stepOutputs, flag, writer, computing);
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
    String option = source.list.isPresent() ? "--tokens" : "--tokens-file";
    String text = source.list.orElseGet(() -> new TextInput(streams).text(source.file));
    int[] tokens =
        Arrays.stream(text.split("[,\\s]+"))
            .filter(word -> !word.isEmpty())
            .mapToInt(word -> token(option, word))
            .toArray();
    if (tokens.length == 0) {
      throw Failure.usage(option + " holds no token ids: give at least one");
    }
    return tokens;
  }

  private static int token(String option, String word) {
    try {
      return Integer.parseInt(word);
    } catch (NumberFormatException e) {
      throw Failure.value(
          option, "with '" + Printable.line(word, 40) + "'", "token ids are whole numbers");
    }
  }

  private static void check(int[] tokens, int vocabulary) {
    for (int token : tokens) {
      if (token < 0 || token >= vocabulary) {
        throw new Failure(
            "token %d is not in the vocabulary: ids go from 0 to %d"
                .formatted(token, vocabulary - 1));
      }
    }
  }
}
