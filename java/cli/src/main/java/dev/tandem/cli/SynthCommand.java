package dev.tandem.cli;

import dev.tandem.engine.MemoryNeed;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code tandem synth}: a model of random weights, for benchmarks and tests. */
@Command(
    name = "synth",
    hidden = true,
    description =
        "Writes a model of random weights in the shape of a well-known one, for benchmarks and"
            + " tests.",
    footer = {"", "Example:", "  tandem synth --shape llama-3.2-1b --type Q4_0 -o 1b-q4_0.gguf"})
final class SynthCommand implements Callable<Integer> {

  private final Streams streams;
  @Spec private CommandSpec spec;
  @Mixin private CommonOptions common;

  @Option(
      names = "--shape",
      paramLabel = "NAME",
      description = "A known shape; the sizes below change it. Default: ${DEFAULT-VALUE}.",
      defaultValue = "stories")
  private String shape;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      description = "Format of the matrices. Default: ${DEFAULT-VALUE}.",
      defaultValue = "F16")
  private TensorType type;

  @Option(
      names = "--embedding-type",
      paramLabel = "TYPE",
      description = "Format of the token embedding.")
  private Optional<TensorType> embeddingType = Optional.empty();

  @Option(names = "--output-type", paramLabel = "TYPE", description = "Format of the output head.")
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
    SyntheticModel.Options options = SyntheticModel.Options.of(type).withSeed(seed);
    if (embeddingType.isPresent()) {
      options = options.withEmbeddings(embeddingType.get());
    }
    if (outputType.isPresent()) {
      options = options.withOutput(outputType.get());
    }
    SyntheticModel.Result result = SyntheticModel.write(output, shape(), options);
    result
        .fallbacks()
        .forEach((tensor, other) ->
            streams.note(tensor + ": rows do not divide into " + type + " blocks, is " + other));
    streams.note(
        "%s: %s parameters, %s"
            .formatted(
                result.file(),
                Quantities.count(result.parameters()),
                MemoryNeed.text(result.bytes())));
    return 0;
  }

  private ModelShape shape() {
    try {
      ModelShape known = ModelShape.named(shape);
      return new ModelShape(
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
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), e.getMessage(), e);
    }
  }
}
