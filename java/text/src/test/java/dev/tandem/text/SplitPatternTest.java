package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The pattern language, against the JDK's. */
class SplitPatternTest {
  static Collection<String> preTokenizers() {
    return TestData.preTokenizers();
  }

  @ParameterizedTest
  @MethodSource("preTokenizers")
  void wordsAreThoseOfTheJdk(String pre) {
    PreTokenizerRules rules = PreTokenizerRules.named(pre).orElseThrow();
    for (long seed : RandomText.seeds(500).toArray()) {
      String text = new RandomText(seed).next(30);
      assertEquals(SlowReference.words(rules, text), words(rules, text), "seed " + seed);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "a{2}",
        "a{2,3}b?",
        "a*?b|a",
        "a++b",
        "a?+a",
        "[ab]+b",
        "[^ab]+",
        "(?:ab|a)b",
        "(?:ab)?a",
        "(?i:stk)",
        "(?i:[r-t]+)",
        "(?i:ſ)",
        "a(?!b)",
        "a(?=b)",
        "(?<!a)b",
        "(?<=a)b+",
        "[\\p{L}-]+",
        "\\p{Lu}\\p{Ll}+",
        "\\p{M}|\\p{S}|\\p{P}",
        "\\S+",
        "[\\s]+$",
        "\\(|\\[",
        "[+.\\-]"
      })
  void everyConstructMeansWhatItMeansInTheJdk(String pattern) {
    // A lazy quantifier is not in the language: here the question mark must be refused.
    if (pattern.contains("*?")) {
      assertThrows(IllegalArgumentException.class, () -> SplitPattern.compile(pattern));
      return;
    }
    PreTokenizerRules rules = new PreTokenizerRules(List.of(pattern), false, false);
    for (String text :
        List.of("aab abb ab ba bb aaaab", "STK stK ſtK rst RST tK", "Aé\u0301+€。 ([x)]-. \n  ")) {
      assertEquals(SlowReference.words(rules, text), words(rules, text), text);
    }
    for (long seed : RandomText.seeds(200).toArray()) {
      String text = new RandomText(seed).next(30);
      assertEquals(SlowReference.words(rules, text), words(rules, text), "seed " + seed);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '@',
      value = {
        "(a)+@'(' here",
        "(?:a)+@'+' here",
        "[a[b]]@class inside a class",
        "[\\S]@inside a class",
        "[a&&b]@inside a class",
        "a)@closing parenthesis",
        "(?:a@no )",
        "[ab@open class",
        "\\d@escape \\d",
        "a{,3}@without a number",
        "a{2,3@no }",
        "\\p{Greek}@\\p{Greek}",
        "+@'+' here"
      })
  void whatIsNotInTheLanguageIsRefused(String pattern, String complaint) {
    var refusal = assertThrows(IllegalArgumentException.class, () -> SplitPattern.compile(pattern));
    assertTrue(refusal.getMessage().contains(complaint), refusal.getMessage());
  }

  @Test
  void everyByteOfTheTextIsInExactlyOneWord() {
    for (String pre : TestData.preTokenizers()) {
      PreTokenizerRules rules = PreTokenizerRules.named(pre).orElseThrow();
      for (long seed : RandomText.seeds(100).toArray()) {
        String text = new RandomText(seed).next(60);
        assertEquals(text, String.join("", words(rules, text)), pre + ", seed " + seed);
      }
    }
  }

  private static List<String> words(PreTokenizerRules rules, String text) {
    List<String> words = new ArrayList<>();
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    new PreTokenizer(rules.patterns())
        .split(
            bytes,
            0,
            bytes.length,
            (all, from, to) -> words.add(new String(all, from, to - from, StandardCharsets.UTF_8)));
    return words;
  }
}
