package dev.tandem.engine;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.RuntimeFailure;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.stream.Stream;

/** How tests load models, run steps and read logits. */
final class Runs {

  /** All seeds, combinations and prompts instead of a sample: {@code -Dtandem.long=true}. */
  static final boolean LONG = Boolean.getBoolean("tandem.long");

  private Runs() {}

  /** The instruction sets that this machine has, the plainest first. */
  static List<String> instructionSets() {
    return Stream.of("scalar", "avx2", "avx512", "amx").filter(Runs::hasInstructionSet).toList();
  }

  private static boolean hasInstructionSet(String name) {
    try (Device device = Device.open(DeviceOptions.cpu(1).withInstructionSet(name))) {
      return device.instructionSet().equals(name);
    } catch (RuntimeFailure e) {
      return false;
    }
  }

  /** A small context, and steps that may give logits for every token. */
  static EngineOptions options(int threads, String instructionSet) {
    return EngineOptions.of(DeviceOptions.cpu(threads).withInstructionSet(instructionSet))
        .withKvTokens(1024)
        .withStep(64, 64);
  }

  /** A model with all its weights. */
  static Engine load(Model model, EngineOptions options) {
    Engine engine = Engine.load(model, options, (loaded, total) -> {});
    try {
      engine.awaitLoaded();
      return engine;
    } catch (RuntimeException e) {
      engine.close();
      throw e;
    }
  }

  static Engine load(Model model, EngineOptions options, WeightStore.Mode mode) {
    return load(model, options.withWeights(mode));
  }

  /** The logits of every token of a new sequence, read in steps of as many tokens as fit. */
  static double[][] logits(Engine engine, int[] tokens) {
    return logits(engine, tokens, engine.step().capacity().outputs());
  }

  /** The logits of every token of a new sequence, read in steps of so many tokens. */
  static double[][] logits(Engine engine, int[] tokens, int stepTokens) {
    KvSequence sequence = new KvSequence();
    double[][] rows = new double[tokens.length][];
    try (AbortFlag flag = new AbortFlag()) {
      for (int from = 0; from < tokens.length; from += stepTokens) {
        int count = Math.min(stepTokens, tokens.length - from);
        engine.begin();
        int output = engine.add(sequence, tokens, from, count, Engine.Outputs.ALL);
        engine.run(flag);
        for (int i = 0; i < count; i++) {
          rows[from + i] = row(engine, output + i);
        }
      }
    } finally {
      engine.cache().release(sequence);
    }
    return rows;
  }

  /** The logits of an output of the last step. */
  static double[] row(Engine engine, int output) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Float.BYTES * engine.vocabulary()).order(ByteOrder.nativeOrder());
    engine.readLogits(output, bytes);
    FloatBuffer values = bytes.asFloatBuffer();
    double[] row = new double[values.remaining()];
    for (int i = 0; i < row.length; i++) {
      row[i] = values.get(i);
    }
    return row;
  }
}
