package dev.tandem.cli;

import dev.tandem.engine.MemoryNeed;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.BlockCodec;
import dev.tandem.model.format.TensorType;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tandem synth}: a model of random weights, for benchmarks and tests. */
@Command(
    name = "synth",
    customSynopsis = "tandem synth [OPTIONS] -o=FILE",
    description = {
      "Writes a model of random weights.",
      "",
      "For benchmarks and tests: in the shape of a well-known model, or of any other."
    },
    footer = {
      "",
      "Examples:",
      "  tandem synth --shape llama-3.2-1b --type Q4_0 -o 1b-q4_0.gguf",
      "  tandem synth --layers 2 --vocabulary 512 --type F32 -o tiny.gguf"
    },
    hidden = true)
final class SynthCommand implements Callable<Integer> {

  // Far beyond any model, and products of two still fit into a long.
  private static final int LARGEST_SIZE = 1 << 24;

  private final Streams streams;

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      description =
          "A known shape, whose sizes other options change: ${COMPLETION-CANDIDATES}. Default:"
              + " ${DEFAULT-VALUE}.",
      completionCandidates = Shapes.class,
      defaultValue = "stories")
  private String shape;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      description = "Format of the matrices: ${COMPLETION-CANDIDATES}. Default: ${DEFAULT-VALUE}.",
      completionCandidates = Types.class,
      defaultValue = "F16")
  private TensorType type;

  @Option(
      names = "--embedding-type",
      paramLabel = "TYPE",
      description = "Format of the token embedding. Default: --type.")
  private Optional<TensorType> embeddingType = Optional.empty();

  @Option(
      names = "--output-type",
      paramLabel = "TYPE",
      description = "Format of the output head, with --untied. Default: --type.")
  private Optional<TensorType> outputType = Optional.empty();

  @Option(names = "--layers", paramLabel = "N", description = "Transformer blocks.")
  private Optional<Integer> layers = Optional.empty();

  @Option(names = "--width", paramLabel = "N", description = "Elements of the residual stream.")
  private Optional<Integer> width = Optional.empty();

  @Option(names = "--heads", paramLabel = "N", description = "Query heads.")
  private Optional<Integer> heads = Optional.empty();

  @Option(names = "--kv-heads", paramLabel = "N", description = "Key and value heads.")
  private Optional<Integer> kvHeads = Optional.empty();

  @Option(names = "--head-size", paramLabel = "N", description = "Elements of a head.")
  private Optional<Integer> headSize = Optional.empty();

  @Option(names = "--feed-forward", paramLabel = "N", description = "Width of the feed-forward.")
  private Optional<Integer> feedForward = Optional.empty();

  @Option(names = "--vocabulary", paramLabel = "N", description = "Tokens of the vocabulary.")
  private Optional<Integer> vocabulary = Optional.empty();

  @Option(names = "--context", paramLabel = "N", description = "Trained context.")
  private Optional<Integer> context = Optional.empty();

  @Option(names = "--untied", description = "With an output head of its own.")
  private boolean untied;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "The same seed gives the same file. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private long seed;

  @Option(
      names = {"-o", "--output"},
      paramLabel = "FILE",
      required = true,
      description = "Where the model goes.")
  private Path output;

  SynthCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    // It gets its name when it is whole, in place of what has that name: a device would be gone.
    if (Files.exists(output) && !Files.isRegularFile(output)) {
      throw new Failure(output + ": there is something that is no file: give another name");
    }
    try {
      SyntheticModel.Result result = SyntheticModel.write(output, shape(), options());
      fallbacks(result.fallbacks());
      streams.note(
          "%s: %s parameters, %s"
              .formatted(
                  result.file(),
                  Quantities.count(result.parameters()),
                  MemoryNeed.text(result.bytes())));
      return 0;
    } catch (IllegalArgumentException e) {
      throw Failure.usage(e.getMessage()); // sizes or formats that make no model
    } catch (UncheckedIOException e) {
      throw Failure.of(output, e.getCause());
    }
  }

  private SyntheticModel.Options options() {
    SyntheticModel.Options options = SyntheticModel.Options.of(type).withSeed(seed);
    if (embeddingType.isPresent()) {
      options = options.withEmbeddings(embeddingType.get());
    }
    if (outputType.isPresent()) {
      options = options.withOutput(outputType.get());
    }
    return options;
  }

  /** Says which matrices have another format than was asked for; one line per format. */
  private void fallbacks(Map<String, TensorType> fallbacks) {
    Map<TensorType, Long> counts =
        fallbacks.values().stream()
            .collect(Collectors.groupingBy(t -> t, TreeMap::new, Collectors.counting()));
    counts.forEach((other, count) ->
        streams.note(
            "%d matrices are %s: their rows are no whole number of blocks of the wanted format"
                .formatted(count, other)));
  }

  private ModelShape shape() {
    ModelShape known = ModelShape.named(shape);
    ModelShape wanted =
        new ModelShape(
            known.name(),
            layers.orElse(known.layers()),
            width.orElse(known.width()),
            heads.orElse(known.heads()),
            kvHeads.orElse(known.kvHeads()),
            headSize.orElse(known.headSize()),
            feedForward.orElse(known.feedForward()),
            vocabulary.orElse(known.vocabulary()),
            context.orElse(known.context()),
            known.ropeBase(),
            known.tiedEmbeddings() && !untied,
            known.normEpsilon());
    long largest =
        LongStream.of(
                wanted.layers(),
                wanted.width(),
                (long) wanted.heads() * wanted.headSize(),
                wanted.feedForward(),
                wanted.vocabulary())
            .max()
            .getAsLong();
    if (largest > LARGEST_SIZE) {
      throw Failure.usage("a size of %d is too large; at most %d".formatted(largest, LARGEST_SIZE));
    }
    return wanted;
  }

  /** The names of the known shapes, for the help. */
  private static final class Shapes implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return ModelShape.known().stream().map(ModelShape::name).iterator();
    }
  }

  /** The formats that can be made. */
  private static final class Types implements Iterable<String> {
    @Override
    public Iterator<String> iterator() {
      return BlockCodec.supported().stream().map(Enum::name).iterator();
    }
  }
}
