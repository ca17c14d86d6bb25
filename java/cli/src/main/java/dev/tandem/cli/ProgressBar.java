package dev.tandem.cli;

import java.util.Locale;

/** A bar on standard error for work that takes long; on no terminal, nothing. */
final class ProgressBar implements AutoCloseable {

  private static final int WIDTH = 30;
  // Work that is done sooner shows no bar at all.
  private static final long PATIENCE_NANOS = 300_000_000;
  private static final long BETWEEN_NANOS = 100_000_000;

  private final Streams streams;
  private final String label;
  private final long started = System.nanoTime();
  private long shown;
  private boolean visible;

  ProgressBar(Streams streams, String label) {
    this.streams = streams;
    this.label = label;
  }

  /** So much of the whole is done. */
  void update(long done, long total) {
    long now = System.nanoTime();
    boolean due = now - started > PATIENCE_NANOS && now - shown > BETWEEN_NANOS;
    if (!streams.errTerminal() || total <= 0 || !due) {
      return;
    }
    shown = now;
    visible = true;
    int filled = (int) (WIDTH * done / total);
    streams
        .err()
        .print(
            String.format(
                Locale.ROOT,
                "\r%s [%s%s] %3d %%",
                label,
                "#".repeat(filled),
                "-".repeat(WIDTH - filled),
                100 * done / total));
  }

  /** Takes the bar away; it comes back with the next update. */
  void hide() {
    if (visible) {
      streams.err().print("\r\u001b[K");
      visible = false;
    }
  }

  @Override
  public void close() {
    hide();
  }
}
