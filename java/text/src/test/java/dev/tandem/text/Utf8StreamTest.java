package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Bytes in any cut, characters out. */
class Utf8StreamTest {
  /** Table 3-7 of Unicode: the well-formed sequences. */
  private static final Pattern CHARACTER =
      Pattern.compile(
          """
          [\\x00-\\x7F] | [\\xC2-\\xDF][\\x80-\\xBF] | \\xE0[\\xA0-\\xBF][\\x80-\\xBF]
          | [\\xE1-\\xEC\\xEE\\xEF][\\x80-\\xBF]{2} | \\xED[\\x80-\\x9F][\\x80-\\xBF]
          | \\xF0[\\x90-\\xBF][\\x80-\\xBF]{2} | [\\xF1-\\xF3][\\x80-\\xBF]{3}
          | \\xF4[\\x80-\\x8F][\\x80-\\xBF]{2}
          """,
          Pattern.COMMENTS);

  /** Their longest beginnings, or a byte that begins none. */
  private static final Pattern BEGINNING =
      Pattern.compile(
          """
          \\xE0[\\xA0-\\xBF]? | [\\xE1-\\xEC\\xEE\\xEF][\\x80-\\xBF]? | \\xED[\\x80-\\x9F]?
          | \\xF0(?:[\\x90-\\xBF][\\x80-\\xBF]?)? | [\\xF1-\\xF3][\\x80-\\xBF]{0,2}
          | \\xF4(?:[\\x80-\\x8F][\\x80-\\xBF]?)? | [\\x80-\\xFF]
          """,
          Pattern.COMMENTS);

  @Test
  void textComesOutWholeHoweverItIsCut() {
    for (long seed : RandomText.seeds(300).toArray()) {
      String text = new RandomText(seed).next(40);
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      assertEquals(text, streamed(bytes, new Random(seed)), "seed " + seed);
    }
  }

  @Test
  void whatIsNoCharacterIsReplaced() {
    for (long seed : RandomText.seeds(1000).toArray()) {
      Random random = new Random(seed);
      byte[] bytes = spoilt(new RandomText(seed).next(20), random);
      assertEquals(repaired(bytes), streamed(bytes, random), "seed " + seed);
    }
  }

  private static byte[] spoilt(String text, Random random) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    byte[] interesting = {
      (byte) 0x80,
      (byte) 0xBF,
      (byte) 0xC0,
      (byte) 0xC2,
      (byte) 0xE0,
      (byte) 0xED,
      (byte) 0xEF,
      (byte) 0xF0,
      (byte) 0xF4,
      (byte) 0xF5,
      (byte) 0xFF,
      (byte) 0xA0,
      (byte) 0x9F,
      (byte) 0x90,
      'a'
    };
    for (int i = 0; i < bytes.length; i++) {
      if (random.nextInt(3) == 0) {
        bytes[i] = interesting[random.nextInt(interesting.length)];
      }
    }
    return bytes;
  }

  @Test
  void halfACharacterWaitsAndIsReplacedAtTheEnd() {
    StringBuilder out = new StringBuilder();
    Utf8Stream stream = new Utf8Stream((b, at, n) -> out.append(decoded(b, at, n)));
    byte[] llama = "🦙".getBytes(StandardCharsets.UTF_8);
    stream.write(llama, 0, 3);
    assertEquals("", out.toString());
    stream.write(llama, 3, 4);
    assertEquals("🦙", out.toString());
    stream.write(llama, 0, 2);
    stream.finish();
    assertEquals("🦙\uFFFD", out.toString());
    stream.write(llama, 0, 4);
    stream.finish();
    assertEquals("🦙\uFFFD🦙", out.toString());
  }

  @Test
  void allocatesNothingPerToken() {
    Tokenizer tokenizer = TinyVocabulary.bytePair("gpt-2", 200).tokenizer();
    int[] ids = tokenizer.encode(TinyVocabulary.TEXT, false);
    long[] bytes = new long[1];
    TextStream stream = new TextStream(tokenizer, false, (b, at, n) -> bytes[0] += n);
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    threads.getCurrentThreadAllocatedBytes();
    print(stream, ids);
    long before = threads.getCurrentThreadAllocatedBytes();
    for (int i = 0; i < 1000; i++) {
      print(stream, ids);
    }
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    assertEquals(1001L * TinyVocabulary.TEXT.getBytes(StandardCharsets.UTF_8).length, bytes[0]);
    // A class that is loaded meanwhile may cost some bytes; a byte per hundred tokens is none each.
    int tokens = 1000 * ids.length;
    assertTrue(allocated < tokens / 100, allocated + " bytes for " + tokens + " tokens");
  }

  private static void print(TextStream stream, int[] ids) {
    for (int id : ids) {
      stream.print(id);
    }
    stream.finish();
  }

  /** What must come out of these bytes. */
  private static String repaired(byte[] bytes) {
    String units = new String(bytes, StandardCharsets.ISO_8859_1);
    StringBuilder text = new StringBuilder();
    Matcher matcher = CHARACTER.matcher(units);
    for (int at = 0; at < units.length(); at = matcher.end()) {
      matcher.usePattern(CHARACTER).region(at, units.length());
      if (matcher.lookingAt()) {
        text.append(decoded(bytes, at, matcher.end() - at));
      } else {
        matcher.usePattern(BEGINNING).lookingAt();
        text.append('\uFFFD');
      }
    }
    return text.toString();
  }

  /** Writes the bytes in random cuts; every piece that comes out must be whole characters. */
  private static String streamed(byte[] bytes, Random random) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    Utf8Stream stream =
        new Utf8Stream((b, at, n) -> {
          String piece = decoded(b, at, n);
          assertEquals(n, piece.getBytes(StandardCharsets.UTF_8).length, piece);
          all.write(b, at, n);
        });
    for (int at = 0; at < bytes.length; ) {
      int end = Math.min(bytes.length, at + random.nextInt(4));
      stream.write(bytes, at, end);
      at = end;
    }
    stream.finish();
    return all.toString(StandardCharsets.UTF_8);
  }

  private static String decoded(byte[] bytes, int at, int length) {
    return new String(bytes, at, length, StandardCharsets.UTF_8);
  }
}
