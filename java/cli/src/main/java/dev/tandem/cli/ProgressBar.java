package dev.tandem.cli;

import java.util.Optional;

/** A bar on standard error for work that takes long; on no terminal, nothing. */
final class ProgressBar implements AutoCloseable {

  private static final int WIDTH = 30;
  // Work that is done sooner shows no bar at all.
  private static final long PATIENCE_NANOS = 300_000_000;
  private static final long BETWEEN_NANOS = 100_000_000;
  private static final String CLEAR_REST = "\u001b[K";

  private final Streams streams;
  private final String label;
  private final long started = System.nanoTime();
  // The shell's prompt should not follow half a bar.
  private Optional<AtExit> atExit = Optional.empty();
  private String note = "";
  private long shown;
  private boolean visible;
  private boolean ended;

  ProgressBar(Streams streams, String label) {
    this(streams, label, true);
  }

  /**
   * @param wanted otherwise it never appears
   */
  ProgressBar(Streams streams, String label, boolean wanted) {
    this.streams = streams;
    this.label = label;
    this.ended = !wanted || !streams.isTerminal(Streams.Kind.ERR);
  }

  /** What stands behind the bar from now on. */
  synchronized void note(String text) {
    note = text;
  }

  /** So much of the whole is done; shown from time to time. */
  synchronized void update(long done, long total) {
    long now = System.nanoTime();
    if (now - started > PATIENCE_NANOS && now - shown > BETWEEN_NANOS) {
      show(done, total);
    }
  }

  /** The same, and the end takes the bar away. */
  void updateToTheEnd(long done, long total) {
    if (done < total) {
      update(done, total);
    } else {
      hide();
    }
  }

  /** So much of the whole is done; shown now. */
  synchronized void show(long done, long total) {
    if (ended || total <= 0) {
      return;
    }
    if (atExit.isEmpty()) {
      atExit = Optional.of(new AtExit(this::end));
    }
    shown = System.nanoTime();
    visible = true;
    int filled = (int) (WIDTH * done / total);
    String bar = "#".repeat(filled) + "-".repeat(WIDTH - filled);
    String line = "%s [%s] %3d %%".formatted(label, bar, 100 * done / total);
    streams.showBar(note.isEmpty() ? line : line + "  " + note + CLEAR_REST);
  }

  /** Takes the bar away; it comes back with the next update. */
  synchronized void hide() {
    if (visible) {
      streams.clearBar();
      visible = false;
    }
  }

  @Override
  public void close() {
    end();
    atExit.ifPresent(AtExit::close);
  }

  private synchronized void end() {
    hide();
    ended = true;
  }
}
