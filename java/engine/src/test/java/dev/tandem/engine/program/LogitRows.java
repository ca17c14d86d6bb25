package dev.tandem.engine.program;

import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.Program;
import dev.tandem.runtime.ProgramWriter;
import java.nio.ByteBuffer;

/** A step without a model: its logits are those that a test wants. */
public final class LogitRows implements AutoCloseable {

  private final int rows;
  private final int vocabulary;
  private final Device device = Device.open(DeviceOptions.cpu(2));
  private final AbortFlag flag = new AbortFlag();
  private final StepBlock step;
  private final DeviceBuffer given;
  private final DeviceBuffer logits;
  private final Program program;
  private final Program picks;

  public LogitRows(int rows, int vocabulary) {
    this.rows = rows;
    this.vocabulary = vocabulary;
    step = new StepBlock(device, new StepCapacity(rows, rows, 1, 100));
    given = device.allocate(4L * rows * vocabulary);
    logits = device.allocate(4L * rows * vocabulary);
    ProgramWriter writer = device.newProgram();
    StepBlock.Operands operands = step.operandsOf(writer);
    writer.extent(operands.count(StepLayout.Count.OUTPUTS));
    ProgramWriter.Tensor out = declare(writer, logits);
    writer.copy(declare(writer, given), out);
    StepEnd.select(writer, operands, out);
    program = writer.finish();
    picks = StepEnd.picks(device, step, w -> declare(w, logits));
    begin();
  }

  private ProgramWriter.Tensor declare(ProgramWriter writer, DeviceBuffer buffer) {
    return writer.tensor(buffer, 0, ElementType.F32, Layout.PLAIN, rows, vocabulary);
  }

  /** A single row, for which a step has run. */
  public static LogitRows of(float... row) {
    LogitRows rows = new LogitRows(1, row.length);
    rows.set(0, row);
    rows.run();
    return rows;
  }

  /** What a model would compute. */
  public void set(int row, float... values) {
    given.view().asFloatBuffer().put(row * vocabulary, values);
  }

  /** Starts a step with an output for every row. */
  public void begin() {
    step.clear();
    for (int row = 0; row < rows; row++) {
      step.addOutput(step.addToken(0, 0, 0));
    }
  }

  public void run() {
    step.seal();
    program.run(flag);
  }

  /** Makes the draws that were asked for, and forgets that they were; results stay. */
  public void pick() {
    step.seal();
    picks.run(flag);
    step.clear();
  }

  public StepBlock step() {
    return step;
  }

  public int vocabulary() {
    return vocabulary;
  }

  /** A row as adjustments left it. */
  public float[] row(int row) {
    float[] values = new float[vocabulary];
    ByteBuffer view = logits.view();
    view.asFloatBuffer().get(row * vocabulary, values);
    return values;
  }

  @Override
  public void close() {
    program.close();
    picks.close();
    given.close();
    logits.close();
    step.close();
    flag.close();
    device.close();
  }
}
