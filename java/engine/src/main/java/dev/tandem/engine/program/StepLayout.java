package dev.tandem.engine.program;

import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.PickSetting;
import dev.tandem.runtime.ProgramWriter;

/** The order in which the sections of a step block lie, each on cache lines of its own. */
record StepLayout(
    Section counts,
    Section ids,
    Section positions,
    Section tables,
    Section blocks,
    Section outputRows,
    Section adjustmentCounts,
    Section adjustedIds,
    Section factors,
    Section addends,
    Section candidateIds,
    Section candidateLogits,
    Section logSums,
    Section pickRows,
    Section pickSettings,
    Section pickedIds,
    Section pickedLogits) {

  /** What {@link #counts} holds, in this order. */
  enum Count {
    TOKENS,
    OUTPUTS,
    PICKS
  }

  static StepLayout of(StepCapacity capacity) {
    int tokens = capacity.tokens();
    int outputs = capacity.outputs();
    int adjustments = capacity.adjustments();
    Section counts = new Section(ElementType.I32, 0, Count.values().length, 1);
    Section ids = counts.then(ElementType.I32, tokens, 1);
    Section positions = ids.then(ElementType.I32, tokens, 1);
    Section tables = positions.then(ElementType.I32, tokens, 1);
    Section blocks = tables.then(ElementType.I32, capacity.tableEntries(), 1);
    Section outputRows = blocks.then(ElementType.I32, outputs, 1);
    Section adjustmentCounts = outputRows.then(ElementType.I32, outputs, 1);
    Section adjustedIds = adjustmentCounts.then(ElementType.I32, outputs, adjustments);
    Section factors = adjustedIds.then(ElementType.F32, outputs, adjustments);
    Section addends = factors.then(ElementType.F32, outputs, adjustments);
    Section candidateIds = addends.then(ElementType.I32, outputs, StepBlock.CANDIDATES);
    Section candidateLogits = candidateIds.then(ElementType.F32, outputs, StepBlock.CANDIDATES);
    Section logSums = candidateLogits.then(ElementType.F32, outputs, 1);
    Section pickRows = logSums.then(ElementType.I32, outputs, 1);
    Section pickSettings = pickRows.then(ElementType.F64, outputs, PickSetting.COUNT);
    Section pickedIds = pickSettings.then(ElementType.I32, outputs, 1);
    Section pickedLogits = pickedIds.then(ElementType.F32, outputs, 1);
    return new StepLayout(
        counts,
        ids,
        positions,
        tables,
        blocks,
        outputRows,
        adjustmentCounts,
        adjustedIds,
        factors,
        addends,
        candidateIds,
        candidateLogits,
        logSums,
        pickRows,
        pickSettings,
        pickedIds,
        pickedLogits);
  }

  /** Bytes of the whole block. */
  int bytes() {
    return pickedLogits.end();
  }

  /** One of the counts, as a section. */
  Section count(Count count) {
    return new Section(ElementType.I32, counts.at(count.ordinal()), 1, 1);
  }

  /** Rows of elements at an offset of the buffer. */
  record Section(ElementType type, int offset, int rows, int columns) {

    private static final int CACHE_LINE = 64;

    /** Where an element lies. */
    int at(int index) {
      return offset + size() * index;
    }

    /** Where an element lies. */
    int at(int row, int column) {
      return at(row * columns + column);
    }

    int end() {
      return at(rows * columns);
    }

    private int size() {
      return type == ElementType.F64 ? Double.BYTES : Integer.BYTES;
    }

    /** The section behind this one. */
    Section then(ElementType nextType, int nextRows, int nextColumns) {
      int start = Math.ceilDiv(end(), CACHE_LINE) * CACHE_LINE;
      Section next = new Section(nextType, start, nextRows, nextColumns);
      int elements = Math.multiplyExact(nextRows, nextColumns);
      Math.addExact(start, Math.multiplyExact(next.size(), elements));
      return next;
    }

    ProgramWriter.Tensor declare(ProgramWriter program, DeviceBuffer buffer) {
      return program.tensor(buffer, offset, type, Layout.PLAIN, rows, columns);
    }
  }
}
