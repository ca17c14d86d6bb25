package dev.tandem.engine.program;

import dev.tandem.runtime.Device;
import dev.tandem.runtime.Program;
import dev.tandem.runtime.ProgramWriter;
import dev.tandem.runtime.ProgramWriter.Tensor;
import java.util.function.Function;

/** What happens to the logits of a step. */
final class StepEnd {

  private StepEnd() {}

  /** Ends a step: penalties and biases, then the candidates. The extent is the outputs'. */
  static void select(ProgramWriter program, StepBlock.Operands step, Tensor logits) {
    program.adjust(
        logits,
        step.of(StepLayout::adjustmentCounts),
        step.of(StepLayout::adjustedIds),
        step.of(StepLayout::factors),
        step.of(StepLayout::addends));
    program.select(
        logits,
        step.of(StepLayout::candidateIds),
        step.of(StepLayout::candidateLogits),
        step.of(StepLayout::logSums));
  }

  /**
   * A program of its own for the draws from whole rows, which is run when a step has any.
   *
   * @param logits declares them
   */
  static Program picks(Device device, StepBlock step, Function<ProgramWriter, Tensor> logits) {
    try (ProgramWriter program = device.newProgram()) {
      StepBlock.Operands operands = step.operandsOf(program);
      program.extent(operands.count(StepLayout.Count.PICKS));
      program.pick(
          logits.apply(program),
          operands.of(StepLayout::candidateLogits),
          operands.of(StepLayout::logSums),
          operands.of(StepLayout::pickRows),
          operands.of(StepLayout::pickSettings),
          operands.of(StepLayout::pickedIds),
          operands.of(StepLayout::pickedLogits));
      return program.finish();
    }
  }
}
