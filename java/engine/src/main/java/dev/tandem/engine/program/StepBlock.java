package dev.tandem.engine.program;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.engine.program.StepLayout.Count;
import dev.tandem.engine.program.StepLayout.Section;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.PickSetting;
import dev.tandem.runtime.ProgramWriter;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * The step block: all that varies from step to step, in memory that the operations read and write.
 * Java fills in tokens and block tables, runs the program, and reads the candidates. Nothing here
 * allocates.
 *
 * <pre>
 *   counts   tokens, outputs, picks
 *   tokens   id | position | table, per token          (table: where its block table begins)
 *   tables   block numbers of all sequences
 *   outputs  row of the token, adjustments (id | factor | addend), per output
 *   results  candidate ids | candidate logits | log-sum, per output
 *   picks    output | settings, per draw from a whole row, and what came out: id | logit
 * </pre>
 */
public final class StepBlock implements AutoCloseable {

  /** Candidates that come back per output. */
  public static final int CANDIDATES = 256;

  private final StepCapacity capacity;
  private final StepLayout at;
  private final DeviceBuffer buffer;
  private ByteBuffer memory; // empty once this is closed: the memory behind it is gone
  private int tokenCount;
  private int blockCount;
  private int outputCount;
  private int pickCount;

  public StepBlock(Device device, StepCapacity capacity) {
    this.capacity = capacity;
    at = StepLayout.of(capacity);
    buffer = device.allocateShared(at.bytes());
    memory = buffer.view();
  }

  /** Bytes of the step block of such a capacity. */
  public static long bytes(StepCapacity capacity) {
    return StepLayout.of(capacity).bytes();
  }

  public StepCapacity capacity() {
    return capacity;
  }

  /** Empties the step. */
  public void clear() {
    tokenCount = 0;
    blockCount = 0;
    outputCount = 0;
    pickCount = 0;
  }

  /** Tokens of the step so far. */
  public int tokens() {
    return tokenCount;
  }

  /** Outputs of the step so far. */
  public int outputs() {
    return outputCount;
  }

  /**
   * Checks that so many more can be added.
   *
   * @throws IllegalStateException if not
   */
  public void requireRoom(int tokens, int outputs, int tableEntries) {
    if (tokens > capacity.tokens() - tokenCount) {
      throw full("tokens", capacity.tokens());
    }
    if (outputs > capacity.outputs() - outputCount) {
      throw full("outputs", capacity.outputs());
    }
    if (tableEntries > capacity.tableEntries() - blockCount) {
      throw full("block table entries", capacity.tableEntries());
    }
  }

  /** Adds the block table of a sequence; returns where it begins, for {@link #addToken}. */
  public int addTable(KvSequence sequence) {
    int start = blockCount;
    int count = sequence.blockCount();
    requireRoom(0, 0, count);
    for (int i = 0; i < count; i++) {
      memory.putInt(at.blocks().at(start + i), sequence.block(i));
    }
    blockCount += count;
    return start;
  }

  /** Adds a token; returns its row. */
  public int addToken(int id, int position, int table) {
    requireRoom(1, 0, 0);
    memory.putInt(at.ids().at(tokenCount), id);
    memory.putInt(at.positions().at(tokenCount), position);
    memory.putInt(at.tables().at(tokenCount), table);
    return tokenCount++;
  }

  /** Asks for the logits of a token; returns the row of its results. */
  public int addOutput(int tokenRow) {
    requireRoom(0, 1, 0);
    memory.putInt(at.outputRows().at(outputCount), tokenRow);
    memory.putInt(at.adjustmentCounts().at(outputCount), 0);
    return outputCount++;
  }

  /**
   * Changes a logit before candidates are chosen: by {@code factor} away from the likely ({@code l
   * > 0 ? l / factor : l * factor}), then by {@code addend}. Adjustments of an output follow one
   * another in the order in which they were added.
   *
   * @param factor finite and above 0
   * @param addend negative infinity bans the token, infinity forces it
   * @throws IllegalStateException if the output has as many as fit
   */
  public void adjust(int output, int id, float factor, float addend) {
    int count = memory.getInt(at.adjustmentCounts().at(output));
    if (count == capacity.adjustments()) {
      throw full("penalties and biases for an output", count);
    }
    memory.putInt(at.adjustedIds().at(output, count), id);
    memory.putFloat(at.factors().at(output, count), factor);
    memory.putFloat(at.addends().at(output, count), addend);
    memory.putInt(at.adjustmentCounts().at(output), count + 1);
  }

  /** To be called before the program runs: makes the counts what was added. */
  public void seal() {
    memory.putInt(at.counts().at(Count.TOKENS.ordinal()), tokenCount);
    memory.putInt(at.counts().at(Count.OUTPUTS.ordinal()), outputCount);
    memory.putInt(at.counts().at(Count.PICKS.ordinal()), pickCount);
  }

  /** Candidates that an output has: 256, or the vocabulary if that is smaller. */
  public int candidates(int output) {
    int count = CANDIDATES;
    while (count > 0 && candidateId(output, count - 1) < 0) {
      count--;
    }
    return count;
  }

  /** Id of a candidate; 0 is the best. */
  public int candidateId(int output, int candidate) {
    return memory.getInt(at.candidateIds().at(output, candidate));
  }

  /** Logit of a candidate. */
  public float candidateLogit(int output, int candidate) {
    return memory.getFloat(at.candidateLogits().at(output, candidate));
  }

  /** Logarithm of the sum of the exponentials of all logits of an output. */
  public float logSum(int output) {
    return memory.getFloat(at.logSums().at(output));
  }

  /**
   * Asks for a draw from all logits of an output of the step that has run; returns its number. What
   * is drawn has to be {@link #setPick set}.
   */
  public int addPick(int output) {
    if (pickCount == capacity.outputs()) {
      throw full("draws", pickCount);
    }
    memory.putInt(at.pickRows().at(pickCount), output);
    return pickCount++;
  }

  /** Tells how to draw; every setting of a draw has to be told. */
  public void setPick(int pick, PickSetting setting, double value) {
    memory.putDouble(at.pickSettings().at(pick, setting.place()), value);
  }

  /** Draws that were asked for since the step was emptied. */
  public int picks() {
    return pickCount;
  }

  /** The token that was drawn. */
  public int pickedId(int pick) {
    return memory.getInt(at.pickedIds().at(pick));
  }

  /** The logit of the token that was drawn. */
  public float pickedLogit(int pick) {
    return memory.getFloat(at.pickedLogits().at(pick));
  }

  /** The block's sections as operands of a program. */
  Operands operandsOf(ProgramWriter program) {
    return new Operands(program);
  }

  /** Declares sections in a program as it asks for them. */
  final class Operands {
    private final ProgramWriter program;
    private final Map<Section, ProgramWriter.Tensor> declared = new HashMap<>();

    private Operands(ProgramWriter program) {
      this.program = program;
    }

    /** A section: {@code of(StepLayout::ids)}. */
    ProgramWriter.Tensor of(Function<StepLayout, Section> which) {
      return declared.computeIfAbsent(which.apply(at), section -> section.declare(program, buffer));
    }

    ProgramWriter.Tensor count(Count which) {
      return of(layout -> layout.count(which));
    }
  }

  @Override
  public void close() {
    memory = ByteBuffer.allocateDirect(0);
    buffer.close();
  }

  private static IllegalStateException full(String what, int most) {
    return new IllegalStateException("the step is full: at most " + most + " " + what);
  }
}
