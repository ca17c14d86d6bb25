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
 * The hot path of a token: a decode step of a tiny model, and sampling from its candidates. With
 * {@code -prof gc} it shows that nothing is allocated.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class DecodeStepBenchmark {

  /** How tokens are drawn. */
  public enum Sampling {
    GREEDY,
    USUAL,
    PENALTIES,
    /** From the whole row. */
    TEMPERATURE;

    SamplingOptions options() {
      return switch (this) {
        case GREEDY -> SamplingOptions.greedy();
        case USUAL -> SamplingOptions.seeded(1);
        case PENALTIES -> SamplingOptions.seeded(1).withPenalties(Penalties.NONE.withRepeat(1.1));
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

  /** Makes and loads the model. */
  @Setup(Level.Trial)
  public void load() throws IOException {
    file = Files.createTempFile("tandem-bench", ".gguf");
    SyntheticModel.write(
        file, ModelShape.named("stories"), SyntheticModel.Options.of(TensorType.Q8_0));
    engine =
        Engine.load(
            Model.open(file),
            EngineOptions.of(DeviceOptions.cpu(1)).withKvTokens(256).withStep(1, 1),
            (loaded, total) -> {});
    flag = new AbortFlag();
    sampler = new Sampler(sampling.options(), engine.vocabulary());
  }

  @TearDown(Level.Trial)
  public void close() throws IOException {
    flag.close();
    engine.close();
    Files.delete(file);
  }

  /** One token: step and sampling. */
  @Benchmark
  public int step() {
    if (sequence.length() == engine.kvTokens()) {
      engine.cache().truncate(sequence, 0);
    }
    engine.begin();
    int output = engine.add(sequence, token, 0, 1, Engine.Outputs.LAST);
    sampler.adjust(engine.step(), output);
    engine.run(flag);
    token[0] = engine.sample(sampler, output, flag);
    sampler.accept(token[0]);
    return token[0];
  }
}
