package dev.tandem.engine.program;

import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.Program;
import java.nio.ByteBuffer;
import java.util.List;

/** A model's programs, with the memory that they work in. */
public final class CompiledModel implements AutoCloseable {

  private final Program program;
  private final Program picks;
  private final DeviceBuffer logits;
  private final int vocabulary;
  private final List<DeviceBuffer> memory;

  CompiledModel(
      Program program,
      Program picks,
      DeviceBuffer logits,
      int vocabulary,
      List<DeviceBuffer> memory) {
    this.program = program;
    this.picks = picks;
    this.logits = logits;
    this.vocabulary = vocabulary;
    this.memory = List.copyOf(memory);
  }

  /** Runs the step that lies in the step block. */
  public void run(AbortFlag flag) {
    program.run(flag);
  }

  /** Draws from whole rows what the step block asks for, after {@link #run}. */
  public void pick(AbortFlag flag) {
    picks.run(flag);
  }

  /** Elements of a row of logits. */
  public int vocabulary() {
    return vocabulary;
  }

  /**
   * Copies the logits of an output of the last step, as its penalties and biases left them: float32
   * into a direct buffer.
   */
  public void readLogits(int output, ByteBuffer destination) {
    int bytes = 4 * vocabulary;
    logits.read(
        (long) output * bytes, destination.duplicate().limit(destination.position() + bytes));
  }

  @Override
  public void close() {
    program.close();
    picks.close();
    memory.forEach(DeviceBuffer::close);
  }
}
