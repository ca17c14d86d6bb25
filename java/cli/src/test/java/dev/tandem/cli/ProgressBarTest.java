package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Bars appear on terminals, for work that takes long. */
class ProgressBarTest {

  private final ByteArrayOutputStream written = new ByteArrayOutputStream();

  private Streams streams(Set<Streams.Kind> terminals) {
    PrintStream err = new PrintStream(written, true, StandardCharsets.UTF_8);
    return new Streams(
        InputStream.nullInputStream(), OutputStream.nullOutputStream(), err, terminals);
  }

  private String written() {
    return written.toString(StandardCharsets.UTF_8);
  }

  @Test
  void longWorkOnATerminalShowsABarAndTakesItAway() throws InterruptedException {
    try (ProgressBar bar = new ProgressBar(streams(Set.of(Streams.Kind.ERR)), "working")) {
      bar.update(1, 4);
      assertEquals("", written(), "patience first");
      Thread.sleep(320);
      bar.update(2, 4);
      String half = "\rworking [" + "#".repeat(15) + "-".repeat(15) + "]  50 %";
      assertEquals(half, written());
      bar.update(3, 4);
      assertEquals(half, written(), "not again at once");
      bar.hide();
      bar.hide();
      assertEquals(half + "\r\u001b[K", written());
      Thread.sleep(120);
      bar.update(4, 4);
      assertTrue(written().endsWith("[" + "#".repeat(30) + "] 100 %"), written());
    }
    assertTrue(written().endsWith("100 %\r\u001b[K"), written());
  }

  @Test
  void barCanBeShownAtOnce() {
    try (ProgressBar bar = new ProgressBar(streams(Set.of(Streams.Kind.ERR)), "working")) {
      bar.show(0, 5);
      assertEquals("\rworking [" + "-".repeat(30) + "]   0 %", written());
    }
    assertTrue(written().endsWith("\r\u001b[K"), written());
  }

  @Test
  void whatIsSaidMeanwhileTakesTheBarsPlace() {
    Streams streams = streams(Set.of(Streams.Kind.ERR));
    try (ProgressBar bar = new ProgressBar(streams, "working")) {
      bar.show(1, 2);
      String before = written();
      streams.note("a line");
      assertEquals(before + "\r\u001b[Ka line\n", written());
      streams.note("another");
      assertTrue(written().endsWith("a line\nanother\n"), written());
      bar.show(2, 2);
    }
    assertTrue(written().endsWith("100 %\r\u001b[K"), written());
  }

  @Test
  void noteStandsBehindTheBar() {
    try (ProgressBar bar = new ProgressBar(streams(Set.of(Streams.Kind.ERR)), "working")) {
      bar.note("half of it");
      bar.show(1, 2);
      assertTrue(written().endsWith("]  50 %  half of it\u001b[K"), written());
    }
    assertTrue(written().endsWith("\u001b[K\r\u001b[K"), written());
  }

  @Test
  void elsewhereThereIsNone() throws InterruptedException {
    Set<Streams.Kind> others = Set.of(Streams.Kind.IN, Streams.Kind.OUT);
    try (ProgressBar bar = new ProgressBar(streams(others), "working")) {
      bar.show(0, 2);
      Thread.sleep(320);
      bar.update(1, 2);
    }
    assertEquals("", written());
  }

  @Test
  void nothingToDoIsNoBar() throws InterruptedException {
    try (ProgressBar bar = new ProgressBar(streams(Set.of(Streams.Kind.ERR)), "working")) {
      Thread.sleep(320);
      bar.update(0, 0);
    }
    assertEquals("", written());
  }
}
