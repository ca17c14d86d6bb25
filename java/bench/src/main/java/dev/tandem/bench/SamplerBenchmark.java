package dev.tandem.bench;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.Sampler;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.Model;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Drawing a token, apart from the step that gives the candidates: their choice among a vocabulary
 * of 128,256 is part of the step, but for {@code TEMPERATURE}, which draws from the whole row.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class SamplerBenchmark {

  /** How tokens are drawn. */
  public enum Sampling {
    GREEDY,
    /** Top-k 40, top-p, min-p and temperature. */
    USUAL,
    PENALTIES,
    TYPICAL,
    /** From the whole row. */
    TEMPERATURE;

    SamplingOptions options() {
      return switch (this) {
        case GREEDY -> SamplingOptions.greedy();
        case USUAL -> SamplingOptions.seeded(1);
        case PENALTIES -> SamplingOptions.seeded(1).withPenalties(Penalties.NONE.withRepeat(1.1));
        case TYPICAL -> SamplingOptions.seeded(1).withTypical(0.9);
        case TEMPERATURE -> SamplingOptions.plain(1);
      };
    }
  }

  @Param private Sampling sampling;
  private final KvSequence sequence = new KvSequence();
  private final int[] token = {1};
  private Path file;
  private Engine engine;
  private AbortFlag flag;
  private Sampler sampler;

  /** Makes and loads the model, and runs the step whose results are drawn from. */
  @Setup(Level.Trial)
  public void load() throws IOException {
    file = Files.createTempFile("tandem-bench", ".gguf");
    ModelShape shape =
        new ModelShape("draws", 1, 64, 1, 1, 64, 64, 128_256, 256, 10_000, true, 1e-5f);
    SyntheticModel.write(file, shape, SyntheticModel.Options.of(TensorType.Q8_0));
    engine =
        Engine.load(
            Model.open(file),
            EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(256).withStep(1, 1),
            (loaded, total) -> {});
    flag = new AbortFlag();
    sampler = new Sampler(sampling.options(), engine.vocabulary());
    engine.begin();
    engine.add(sequence, token, 0, 1, Engine.Outputs.LAST);
    engine.run(flag);
  }

  @TearDown(Level.Trial)
  public void close() throws IOException {
    flag.close();
    engine.close();
    Files.delete(file);
  }

  /** What is put into a step before it runs, and what is done with its results. */
  @Benchmark
  public int draw() {
    engine.begin();
    int output = engine.add(sequence, token, 0, 1, Engine.Outputs.LAST);
    sampler.adjust(engine.step(), output);
    int drawn = engine.sample(sampler, output, flag);
    sampler.accept(drawn);
    return drawn;
  }
}
