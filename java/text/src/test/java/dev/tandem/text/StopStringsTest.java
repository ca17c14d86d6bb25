package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class StopStringsTest {

  @Test
  void withoutStringsEverythingPasses() {
    assertEquals(List.of("a", "bc", ""), pieces(List.of(), "a", "bc"));
  }

  @Test
  void endsBeforeTheStringHoweverItIsCut() {
    assertEquals(List.of("one ", ""), pieces(List.of("two"), "one two three"));
    assertEquals(List.of("on", "e ", "", "", ""), pieces(List.of("two"), "on", "e t", "w", "o th"));
  }

  @Test
  void whatOnlyBeginsLikeOneIsHeldBackAndThenLetOut() {
    assertEquals(List.of("one ", "twi", "ce", ""), pieces(List.of("two"), "one tw", "i", "ce"));
    assertEquals(List.of("", "", "aab"), pieces(List.of("aabc"), "aa", "b"));
    // The end of what failed may begin the string anew.
    assertEquals(List.of("", "a", "", ""), pieces(List.of("aab"), "aa", "a", "b"));
  }

  @Test
  void theFirstToEndCountsAndOfThoseTheLongest() {
    assertEquals(List.of("x", ""), pieces(List.of("bc", "abc", "cd"), "xabcd"));
    assertEquals(Optional.of("abc"), stop(List.of("bc", "abc", "cd"), "xabcd"));
    assertEquals(Optional.of("b"), stop(List.of("abcd", "b"), "abcd"));
  }

  @Test
  void randomTextsAgreeWithAPlainSearch() {
    for (long seed = 0; seed < 3000; seed++) {
      Random random = new Random(seed);
      List<String> stops = new ArrayList<>();
      for (int i = random.nextInt(4); i > 0; i--) {
        stops.add(text(random, 1 + random.nextInt(4)));
      }
      String whole = text(random, random.nextInt(30));
      List<String> cut = new ArrayList<>();
      for (int at = 0; at < whole.length(); ) {
        int end = Math.min(whole.length(), at + 1 + random.nextInt(4));
        cut.add(whole.substring(at, end));
        at = end;
      }
      String expected = plain(whole, stops);
      List<String> pieces = pieces(stops, cut.toArray(String[]::new));
      assertEquals(expected, String.join("", pieces), "seed " + seed);
      // Nothing is held back without need: what is missing can still become a stop string.
      String sofar = "";
      for (int i = 0;
          i < cut.size() && plain(join(cut, i + 1), stops).equals(join(cut, i + 1));
          i++) {
        sofar += pieces.get(i);
        String held = join(cut, i + 1).substring(sofar.length());
        boolean begins = held.isEmpty() || stops.stream().anyMatch(s -> s.startsWith(held));
        assertEquals(true, begins, "seed " + seed + ", held back: " + held);
      }
    }
  }

  private static String join(List<String> parts, int count) {
    return String.join("", parts.subList(0, count));
  }

  private static int firstEnd(String text, List<String> stops) {
    return stops.stream()
        .filter(text::contains)
        .mapToInt(s -> text.indexOf(s) + s.length())
        .min()
        .orElse(Integer.MAX_VALUE);
  }

  private static String plain(String text, List<String> stops) {
    int end = firstEnd(text, stops);
    return stops.stream()
        .filter(s -> text.contains(s) && text.indexOf(s) + s.length() == end)
        .map(s -> text.substring(0, end - s.length()))
        .min((a, b) -> Integer.compare(a.length(), b.length()))
        .orElse(text);
  }

  /** What each piece lets out, and at last what the end does. */
  private static List<String> pieces(List<String> stops, String... text) {
    List<String> out = new ArrayList<>();
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    StopStrings filter = new StopStrings(stops, bytes::write);
    for (String piece : text) {
      byte[] utf8 = piece.getBytes(StandardCharsets.UTF_8);
      filter.accept(utf8, 0, utf8.length);
      out.add(bytes.toString(StandardCharsets.UTF_8));
      bytes.reset();
    }
    filter.finish();
    out.add(bytes.toString(StandardCharsets.UTF_8));
    return out;
  }

  private static Optional<String> stop(List<String> stops, String text) {
    StopStrings filter = new StopStrings(stops, (utf8, offset, length) -> {});
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    filter.accept(utf8, 0, utf8.length);
    return filter.found();
  }

  private static String text(Random random, int length) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.append("abcé".charAt(random.nextInt(4)));
    }
    return text.toString();
  }
}
