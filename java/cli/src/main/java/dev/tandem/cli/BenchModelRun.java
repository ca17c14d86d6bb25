package dev.tandem.cli;

import dev.tandem.cli.BenchModelResult.Test;
import dev.tandem.engine.Engine;
import dev.tandem.engine.kv.KvSequence;
import dev.tandem.runtime.AbortFlag;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Sequences of random tokens whose context is filled, so that a test can be run again and again.
 */
final class BenchModelRun implements AutoCloseable {

  private final Engine engine;
  private final AbortFlag flag;
  private final Test test;
  private final List<KvSequence> sequences = new ArrayList<>();
  private final int[] tokens;

  /** Fills the context of each sequence. */
  BenchModelRun(Engine engine, AbortFlag flag, Test test) {
    this.engine = engine;
    this.flag = flag;
    this.test = test;
    int vocabulary = engine.model().graph().hyperparameters().vocabulary();
    tokens = new SplittableRandom(1).ints(test.context(), 0, vocabulary).toArray();
    try {
      for (int i = 0; i < test.sequences(); i++) {
        sequences.add(new KvSequence());
        read(sequences.getLast(), 0, test.depth());
      }
    } catch (RuntimeException e) {
      close();
      throw e;
    }
  }

  /** Runs the test once, behind the filled context. */
  double tokensPerSecond() {
    sequences.forEach(sequence -> engine.cache().truncate(sequence, test.depth()));
    long start = System.nanoTime();
    if (test.prompt()) {
      read(sequences.getFirst(), test.depth(), test.tokens());
    } else {
      for (int i = 0; i < test.tokens(); i++) {
        engine.begin();
        for (KvSequence sequence : sequences) {
          engine.add(sequence, tokens, test.depth() + i, 1, Engine.Outputs.LAST);
        }
        engine.run(flag);
      }
    }
    double seconds = (System.nanoTime() - start) / 1e9;
    return (double) test.tokens() * sequences.size() / seconds;
  }

  private void read(KvSequence sequence, int from, int count) {
    int most = engine.step().capacity().tokens();
    for (int at = from; at < from + count; at += most) {
      int size = Math.min(most, from + count - at);
      engine.begin();
      boolean last = at + size == from + count;
      engine.add(sequence, tokens, at, size, last ? Engine.Outputs.LAST : Engine.Outputs.NONE);
      engine.run(flag);
    }
  }

  @Override
  public void close() {
    sequences.forEach(engine.cache()::release);
  }
}
