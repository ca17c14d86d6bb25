package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.reference.Agreement;
import dev.tandem.reference.Golden;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Against llama.cpp's logits of tiny models, in every format, way to keep weights and instruction
 * set.
 */
class GoldenLogitsTest {
  /** Formats that nothing computes with yet. */
  private static final Pattern UNSUPPORTED = Pattern.compile(".*(q5_|q2_k|q3_k|iq4).*");

  static Stream<Golden> supported() {
    return Golden.llamas().stream().filter(g -> !UNSUPPORTED.matcher(g.name()).matches());
  }

  static Stream<Golden> unsupported() {
    return Golden.llamas().stream().filter(g -> UNSUPPORTED.matcher(g.name()).matches());
  }

  @ParameterizedTest
  @MethodSource("supported")
  void agrees(Golden golden) {
    Model model = Model.open(golden.model());
    double[][] reference = golden.logits();
    StringBuilder line = new StringBuilder("engine %-20s".formatted(golden));
    for (String instructionSet : Runs.instructionSets()) {
      for (WeightStore.Mode mode : WeightStore.Mode.values()) {
        try (Engine engine = Runs.load(model, Runs.options(2, instructionSet), mode)) {
          assertEquals(instructionSet, engine.device().instructionSet());
          double[][] ours = Runs.logits(engine, Golden.tokens());
          Agreement agreement = Agreement.of(ours, reference, Golden.MARGIN);
          String what = golden + " " + instructionSet + " " + mode + ": " + agreement;
          assertTrue(agreement.error() <= golden.tolerance(), what);
          assertEquals(0, agreement.wrongRows(), what);
          if (mode == WeightStore.Mode.TILES) {
            line.append("  %s %.2e".formatted(instructionSet, agreement.error()));
          }
        }
      }
    }
    System.out.printf(Locale.ROOT, "%s  (at most %.1e)%n", line, golden.tolerance());
  }

  /**
   * F16 weights that are kept as BF16 give what a BF16 file of the model gives, under the same
   * tolerance; where F16's reference is decided, they do not decide otherwise.
   */
  @Test
  void fastF16IsAsGoodAsBf16() {
    Golden bf16 = named("llama-untied-bf16");
    Golden f16 = named("llama-untied-f16");
    Model model = Model.open(f16.model());
    for (String instructionSet : Runs.instructionSets()) {
      EngineOptions exact = Runs.options(2, instructionSet);
      try (Engine engine = Runs.load(model, exact.withFastF16(true))) {
        double[][] ours = Runs.logits(engine, Golden.tokens());
        Agreement likeBf16 = Agreement.of(ours, bf16.logits(), Golden.MARGIN);
        String what = "fast-f16 " + instructionSet + ": " + likeBf16;
        assertTrue(likeBf16.error() <= bf16.tolerance(), what);
        assertEquals(0, likeBf16.wrongRows(), what);
        Agreement likeF16 = Agreement.of(ours, f16.logits(), Golden.MARGIN);
        assertEquals(0, likeF16.wrongRows(), instructionSet + ": " + likeF16);
        assertTrue(likeF16.error() > f16.tolerance(), "not converted at all: " + likeF16);
        System.out.println(what + "; of F16's reference: " + likeF16);
      }
    }
  }

  private static Golden named(String name) {
    return Golden.llamas().stream().filter(g -> g.name().equals(name)).findFirst().orElseThrow();
  }

  @ParameterizedTest
  @MethodSource("unsupported")
  void namesTheFormatThatIsNotSupported(Golden golden) {
    Model model = Model.open(golden.model());
    String instructionSet = Runs.instructionSets().getFirst();
    ModelFormatException e =
        assertThrows(
            ModelFormatException.class, () -> Runs.load(model, Runs.options(1, instructionSet)));
    assertTrue(e.field().startsWith("tensor "), e.getMessage());
    assertTrue(
        e.getMessage().endsWith("supported: F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q4_K, Q6_K"),
        e.getMessage());
    assertEquals(List.of(e.file()), model.file().parts());
  }
}
