package dev.tandem.bench;

import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Text to tokens and back: 16 KiB of English, and a short question. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class TokenizerBenchmark {

  private static final int LONG_CHARACTERS = 16 << 10;
  private static final List<String> SENTENCES =
      List.of(
          "A language model reads a text piece by piece and says what it expects to come next. ",
          "In %d, they had walked for hours before the rain began, and nobody wanted to turn back."
              + " ",
          "\"That isn't what we agreed on,\" she said; he shrugged, as he'd always done. ",
          "The measured bandwidth was %d GB/s, which is 90%% of what the memory can give.\n\n",
          "Whoever tunes a kernel should first ask how far it is from the limit.\n",
          "It costs $%d.50 (tax included) and weighs about 12 kilograms, doesn't it? ",
          "    for (int i = 0; i < %d; i++) { sum += weights[i] * x[i]; }\n",
          "Caf\u00e9s in Z\u00fcrich open early \u2013 na\u00efve travellers may be surprised. ");

  /** A model with a tokenizer; empty: a synthetic SentencePiece vocabulary of 32,000 tokens. */
  @Param("")
  private String model;

  private Tokenizer tokenizer;
  private String longText;
  private int[] longIds;

  /** Reads the vocabulary and makes up the text. */
  @Setup(Level.Trial)
  public void prepare() throws IOException {
    tokenizer = Tokenizer.of(open().metadata());
    SplittableRandom random = new SplittableRandom(1);
    StringBuilder text = new StringBuilder();
    while (text.length() < LONG_CHARACTERS) {
      String sentence = SENTENCES.get(random.nextInt(SENTENCES.size()));
      text.append(sentence.formatted(random.nextInt(1, 3000)));
    }
    longText = text.substring(0, LONG_CHARACTERS);
    longIds = tokenizer.encode(longText, false);
  }

  private GgufFile open() throws IOException {
    if (!model.isEmpty()) {
      return GgufFile.open(Path.of(model));
    }
    ModelShape shape =
        new ModelShape("tokens", 1, 32, 1, 1, 32, 32, 32_000, 256, 10_000, true, 1e-5f);
    Path folder = Files.createTempDirectory("tandem-bench");
    Path file = folder.resolve("outline.gguf");
    try {
      SyntheticModel.writer(shape, SyntheticModel.Options.of(TensorType.F16)).writeOutline(file);
      return GgufFile.open(file);
    } finally {
      Files.deleteIfExists(file);
      Files.delete(folder);
    }
  }

  /** 16 KiB to tokens. */
  @Benchmark
  public int[] encodeLong() {
    return tokenizer.encode(longText, false);
  }

  /** A question to tokens. */
  @Benchmark
  public int[] encodeShort() {
    return tokenizer.encode("How far is a kernel from the limit of the machine?", false);
  }

  /** The tokens of 16 KiB to bytes. */
  @Benchmark
  public byte[] decodeLong() {
    return tokenizer.decode(longIds);
  }
}
