package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Real vocabularies, exactly, in both directions. */
class VectorsTest {
  static List<String> vocabularies() {
    return TestData.vocabularies();
  }

  @ParameterizedTest
  @MethodSource("vocabularies")
  void everyVectorIsExact(String name) {
    Tokenizer tokenizer = Tokenizer.of(TestData.vocabulary(name));
    List<TestData.Vector> vectors = TestData.vectors(name);
    assertTrue(vectors.size() > 40, vectors.size() + " vectors");
    for (TestData.Vector vector : vectors) {
      int[] ids = tokenizer.encode(vector.text(), false);
      assertEquals(Arrays.toString(vector.ids()), Arrays.toString(ids), vector.text());
      assertArrayEquals(
          vector.text().getBytes(StandardCharsets.UTF_8), tokenizer.decode(ids), vector.text());
    }
  }

  @ParameterizedTest
  @MethodSource("vocabularies")
  void randomTextsAreThoseOfTheSlowReferenceAndComeBack(String name) {
    var metadata = TestData.vocabulary(name);
    Tokenizer tokenizer = Tokenizer.of(metadata);
    SlowReference reference = new SlowReference(metadata);
    for (long seed : RandomText.seeds(200).toArray()) {
      ReferenceTest.check(tokenizer, reference, new RandomText(seed).next(40), seed);
    }
  }
}
