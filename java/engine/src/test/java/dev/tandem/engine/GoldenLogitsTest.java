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

  /** F16 weights that are kept as BF16 agree with F16's reference under BF16's tolerance. */
  @Test
  void fastF16AgreesLikeBf16() {
    double tolerance = named("llama-untied-bf16").tolerance();
    Golden golden = named("llama-untied-f16");
    Model model = Model.open(golden.model());
    for (String instructionSet : Runs.instructionSets()) {
      EngineOptions fast = Runs.options(2, instructionSet).withFastF16(true);
      try (Engine engine = Runs.load(model, fast)) {
        double[][] ours = Runs.logits(engine, Golden.tokens());
        Agreement agreement = Agreement.of(ours, golden.logits(), Golden.MARGIN);
        String what = "fast-f16 " + instructionSet + ": " + agreement;
        System.out.println(what);
        assertTrue(agreement.error() <= tolerance, what);
        assertEquals(0, agreement.wrongRows(), what);
        assertTrue(agreement.error() > golden.tolerance(), "not converted at all: " + what);
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
