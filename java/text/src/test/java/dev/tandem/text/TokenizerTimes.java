package dev.tandem.text;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufMetadata;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.function.ToIntFunction;

/**
 * Measures what {@code docs/decisions/tokenizer.md} reports, in a fresh JVM whose heap is resident
 * from the start ({@code -Xms512m -Xmx512m -XX:+AlwaysPreTouch}): {@code TokenizerTimes own|djl
 * VOCABULARY.gguf TEXT}.
 */
final class TokenizerTimes {
  private static final int MEGABYTE = 1 << 20;

  private TokenizerTimes() {}

  public static void main(String[] arguments) throws IOException {
    long start = System.nanoTime();
    GgufMetadata metadata = GgufFile.open(Path.of(arguments[1])).metadata();
    report("open the file", start);
    String text = Files.readString(Path.of(arguments[2]));
    long live = liveBytes();
    long resident = residentKilobytes();
    start = System.nanoTime();
    ToIntFunction<String> tokenCount = counter(arguments[0], metadata);
    report("load the tokenizer", start);
    System.out.printf(
        "it takes %d MB of heap and %d MB elsewhere%n",
        (liveBytes() - live) >> 20, (residentKilobytes() - resident) >> 10);
    start = System.nanoTime();
    int tokens = tokenCount.applyAsInt(text);
    report("first text, " + text.length() + " characters, " + tokens + " tokens", start);
    String longText = text.repeat(20);
    long best = Long.MAX_VALUE;
    for (int i = 0; i < 40; i++) {
      start = System.nanoTime();
      tokenCount.applyAsInt(longText);
      best = Math.min(best, System.nanoTime() - start);
    }
    System.out.printf(Locale.ROOT, "warm: %.1f MB/s%n", longText.length() * 1e3 / best);
    for (String part : new String[] {"a", " ", "想"}) {
      start = System.nanoTime();
      tokenCount.applyAsInt(part.repeat(MEGABYTE));
      report(MEGABYTE + " times \"" + part + "\"", start);
    }
  }

  private static ToIntFunction<String> counter(String which, GgufMetadata metadata) {
    if (which.equals("own")) {
      Tokenizer tokenizer = Tokenizer.of(metadata);
      return text -> tokenizer.encode(text, false).length;
    }
    DjlTokenizer tokenizer = DjlTokenizer.of(metadata);
    return text -> tokenizer.encode(text).length;
  }

  private static void report(String what, long start) {
    System.out.printf(Locale.ROOT, "%s: %.0f ms%n", what, (System.nanoTime() - start) / 1e6);
  }

  private static long liveBytes() {
    System.gc();
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  /** Linux only; elsewhere 0. */
  private static long residentKilobytes() throws IOException {
    Path status = Path.of("/proc/self/status");
    return !Files.exists(status)
        ? 0
        : Files.readAllLines(status).stream()
            .filter(line -> line.startsWith("VmRSS:"))
            .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
            .sum();
  }
}
