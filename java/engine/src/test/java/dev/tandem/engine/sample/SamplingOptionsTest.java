package dev.tandem.engine.sample;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SamplingOptionsTest {
  private static final SamplingOptions PLAIN = SamplingOptions.plain(0);

  private static void assertRefused(String message, Supplier<?> options) {
    IllegalArgumentException e = assertThrows(IllegalArgumentException.class, options::get);
    assertEquals(message, e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      doubles = {-1, -0.001, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
  void temperaturesThatCannotBe(double temperature) {
    assertRefused(
        "temperature: " + temperature + " is no number from 0 on; 0 = always the best token",
        () -> PLAIN.withTemperature(temperature));
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1, -1e-9, 1.000001, Double.NaN, Double.POSITIVE_INFINITY})
  void probabilitiesThatCannotBe(double p) {
    String problem = p + " is not between 0 and 1; ";
    assertRefused("top-p: " + problem + "1 = all tokens", () -> PLAIN.withTopP(p));
    assertRefused("typical: " + problem + "1 = all tokens", () -> PLAIN.withTypical(p));
    assertRefused("min-p: " + problem + "0 = all tokens", () -> PLAIN.withMinP(p));
  }

  @Test
  void numbersOfTokensThatCannotBe() {
    assertRefused("top-k: -1 is negative; 0 = all tokens", () -> PLAIN.withTopK(-1));
    assertRefused(
        "last tokens to penalise: -1 is not between 0 and 1024",
        () -> Penalties.NONE.withLastTokens(-1));
    assertRefused(
        "last tokens to penalise: 1025 is not between 0 and 1024",
        () -> Penalties.NONE.withLastTokens(1025));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, -1, 1e7, 1e-7, Double.NaN, Double.POSITIVE_INFINITY})
  void repeatPenaltiesThatCannotBe(double penalty) {
    assertRefused(
        "repeat penalty: " + penalty + " is not between 0.000001 and 1000000; 1 = none",
        () -> Penalties.NONE.withRepeat(penalty));
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e7, -1e7, Double.NaN, Double.NEGATIVE_INFINITY})
  void penaltiesThatCannotBe(double penalty) {
    String problem = penalty + " is not between -1000000 and 1000000; 0 = none";
    assertRefused("presence penalty: " + problem, () -> Penalties.NONE.withPresence(penalty));
    assertRefused("frequency penalty: " + problem, () -> Penalties.NONE.withFrequency(penalty));
  }

  @Test
  void biasesThatCannotBe() {
    assertRefused("logit bias: token -5 is negative", () -> PLAIN.withLogitBias(Map.of(-5, 1f)));
    assertRefused(
        "logit bias: that of token 5 is no number",
        () -> PLAIN.withLogitBias(Map.of(5, Float.NaN)));
    Map<Integer, Float> many =
        IntStream.range(0, 1000).boxed().collect(Collectors.toMap(id -> id, id -> 1f));
    PLAIN.withLogitBias(many).withPenalties(Penalties.NONE.withRepeat(2).withLastTokens(24));
    PLAIN.withLogitBias(many).withPenalties(Penalties.NONE.withLastTokens(1024)); // they are off
    assertRefused(
        "1000 biases and 25 penalised tokens are more than 1024; choose fewer",
        () ->
            PLAIN
                .withPenalties(Penalties.NONE.withRepeat(2).withLastTokens(25))
                .withLogitBias(many));
  }

  @Test
  void biasesThatDoNotFitTheModel() {
    assertRefused(
        "logit bias: token 300 is not in the vocabulary; ids go from 0 to 299",
        () -> new Sampler(PLAIN.withLogitBias(Map.of(300, 1f)), 300));
    new Sampler(PLAIN.withLogitBias(Map.of(299, 1f)), 300);
    assertRefused(
        "logit bias: all 3 tokens are banned; leave at least one",
        () -> new Sampler(PLAIN.withBanned(0, 1, 2), 3));
    new Sampler(PLAIN.withBanned(0, 1, 2), 4);
  }

  @Test
  void banningReplacesABias() {
    SamplingOptions banned = PLAIN.withLogitBias(Map.of(1, 3f, 2, 4f)).withBanned(2, 5);
    assertEquals(
        Map.of(1, 3f, 2, Float.NEGATIVE_INFINITY, 5, Float.NEGATIVE_INFINITY), banned.logitBias());
  }

  @Test
  void penaltiesAreOnIfTheyChangeAnything() {
    assertFalse(Penalties.NONE.areOn());
    assertTrue(Penalties.NONE.withRepeat(1.1).areOn());
    assertTrue(Penalties.NONE.withPresence(-1).areOn());
    assertTrue(Penalties.NONE.withFrequency(1).areOn());
    assertFalse(Penalties.NONE.withRepeat(1.1).withLastTokens(0).areOn());
  }
}
