package dev.tandem.engine.program;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.ProgramWriter;
import java.nio.ByteBuffer;

/**
 * The step block: all that varies from step to step, in memory that the operations read and write.
 * Java fills in tokens and block tables, runs the program, and reads the candidates. Nothing here
 * allocates.
 *
 * <pre>
 *   counts   tokens, outputs
 *   tokens   id | position | table, per token          (table: where its block table begins)
 *   tables   block numbers of all sequences
 *   outputs  row of the token, per output
 *   results  candidate ids | candidate logits | log-sum, per output
 * </pre>
 */
public final class StepBlock implements AutoCloseable {

  /** Candidates that come back per output. */
  public static final int CANDIDATES = 256;

  private final StepCapacity capacity;
  private final Sections at;
  private final DeviceBuffer buffer;
  private ByteBuffer memory; // empty once this is closed: the memory behind it is gone
  private int tokenCount;
  private int blockCount;
  private int outputCount;

  /** Rows of 4-byte elements at an offset of the buffer. */
  private record Section(int offset, int rows, int columns) {
    int at(int index) {
      return offset + 4 * index;
    }

    int end() {
      return at(rows * columns);
    }
  }

  /** The order in which the sections lie. */
  private record Sections(
      Section counts,
      Section ids,
      Section positions,
      Section tables,
      Section blocks,
      Section outputRows,
      Section candidateIds,
      Section candidateLogits,
      Section logSums) {

    static Sections of(StepCapacity capacity) {
      Section counts = new Section(0, 2, 1);
      Section ids = after(counts, capacity.tokens(), 1);
      Section positions = after(ids, capacity.tokens(), 1);
      Section tables = after(positions, capacity.tokens(), 1);
      Section blocks = after(tables, capacity.tableEntries(), 1);
      Section outputRows = after(blocks, capacity.outputs(), 1);
      Section candidateIds = after(outputRows, capacity.outputs(), CANDIDATES);
      Section candidateLogits = after(candidateIds, capacity.outputs(), CANDIDATES);
      Section logSums = after(candidateLogits, capacity.outputs(), 1);
      return new Sections(
          counts,
          ids,
          positions,
          tables,
          blocks,
          outputRows,
          candidateIds,
          candidateLogits,
          logSums);
    }
  }

  public StepBlock(Device device, StepCapacity capacity) {
    this.capacity = capacity;
    at = Sections.of(capacity);
    buffer = device.allocate(bytes(capacity));
    memory = buffer.view();
  }

  /** Bytes of the step block of such a capacity. */
  public static long bytes(StepCapacity capacity) {
    return Sections.of(capacity).logSums.end();
  }

  public StepCapacity capacity() {
    return capacity;
  }

  /** Empties the step. */
  public void clear() {
    tokenCount = 0;
    blockCount = 0;
    outputCount = 0;
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
      memory.putInt(at.blocks.at(start + i), sequence.block(i));
    }
    blockCount += count;
    return start;
  }

  /** Adds a token; returns its row. */
  public int addToken(int id, int position, int table) {
    requireRoom(1, 0, 0);
    memory.putInt(at.ids.at(tokenCount), id);
    memory.putInt(at.positions.at(tokenCount), position);
    memory.putInt(at.tables.at(tokenCount), table);
    return tokenCount++;
  }

  /** Asks for the logits of a token; returns the row of its results. */
  public int addOutput(int tokenRow) {
    requireRoom(0, 1, 0);
    memory.putInt(at.outputRows.at(outputCount), tokenRow);
    return outputCount++;
  }

  /** To be called before the program runs: makes the counts what was added. */
  public void seal() {
    memory.putInt(at.counts.at(0), tokenCount);
    memory.putInt(at.counts.at(1), outputCount);
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
    return memory.getInt(at.candidateIds.at(output * CANDIDATES + candidate));
  }

  /** Logit of a candidate. */
  public float candidateLogit(int output, int candidate) {
    return memory.getFloat(at.candidateLogits.at(output * CANDIDATES + candidate));
  }

  /** Logarithm of the sum of the exponentials of all logits of an output. */
  public float logSum(int output) {
    return memory.getFloat(at.logSums.at(output));
  }

  /** The block's sections as operands of a program. */
  Operands declare(ProgramWriter program) {
    return new Operands(
        integers(program, new Section(at.counts.offset(), 1, 1)),
        integers(program, new Section(at.counts.at(1), 1, 1)),
        integers(program, at.ids),
        integers(program, at.positions),
        integers(program, at.tables),
        integers(program, at.blocks),
        integers(program, at.outputRows),
        integers(program, at.candidateIds),
        floats(program, at.candidateLogits),
        floats(program, at.logSums));
  }

  record Operands(
      ProgramWriter.Tensor tokenCount,
      ProgramWriter.Tensor outputCount,
      ProgramWriter.Tensor ids,
      ProgramWriter.Tensor positions,
      ProgramWriter.Tensor tables,
      ProgramWriter.Tensor blocks,
      ProgramWriter.Tensor outputRows,
      ProgramWriter.Tensor candidateIds,
      ProgramWriter.Tensor candidateLogits,
      ProgramWriter.Tensor logSums) {}

  @Override
  public void close() {
    memory = ByteBuffer.allocateDirect(0);
    buffer.close();
  }

  private ProgramWriter.Tensor integers(ProgramWriter program, Section section) {
    return program.tensor(
        buffer, section.offset(), ElementType.I32, Layout.PLAIN, section.rows(), section.columns());
  }

  private ProgramWriter.Tensor floats(ProgramWriter program, Section section) {
    return program.tensor(
        buffer, section.offset(), ElementType.F32, Layout.PLAIN, section.rows(), section.columns());
  }

  /** The section behind another, on a cache line of its own. */
  private static Section after(Section before, int rows, int columns) {
    int offset = Math.ceilDiv(before.end(), 64) * 64;
    Math.addExact(offset, Math.multiplyExact(4, Math.multiplyExact(rows, columns)));
    return new Section(offset, rows, columns);
  }

  private static IllegalStateException full(String what, int most) {
    return new IllegalStateException("the step is full: at most " + most + " " + what);
  }
}
