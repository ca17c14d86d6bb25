package dev.tandem.cli;

/** A bar on standard error for work that takes long; on no terminal, nothing. */
final class ProgressBar implements AutoCloseable {

  private static final int WIDTH = 30;
  // Work that is done sooner shows no bar at all.
  private static final long PATIENCE_NANOS = 300_000_000;
  private static final long BETWEEN_NANOS = 100_000_000;
  private static final String CLEAR_LINE = "\r\u001b[K";

  private final Streams streams;
  private final String label;
  private final boolean terminal;
  private final long started = System.nanoTime();
  // Ctrl-C: the shell's prompt should not follow half a bar.
  private final Thread atExit = new Thread(this::hideForGood);
  private long shown;
  private boolean visible;
  private boolean registered;
  private boolean ended;

  ProgressBar(Streams streams, String label) {
    this.streams = streams;
    this.label = label;
    this.terminal = streams.isTerminal(Streams.Kind.ERR);
  }

  /** So much of the whole is done. */
  synchronized void update(long done, long total) {
    if (!terminal || ended || total <= 0) {
      return;
    }
    long now = System.nanoTime();
    if (now - started > PATIENCE_NANOS && now - shown > BETWEEN_NANOS && register()) {
      shown = now;
      visible = true;
      int filled = (int) (WIDTH * done / total);
      streams
          .err()
          .print(
              "\r%s [%s%s] %3d %%"
                  .formatted(
                      label, "#".repeat(filled), "-".repeat(WIDTH - filled), 100 * done / total));
    }
  }

  /** Takes the bar away; it comes back with the next update. */
  synchronized void hide() {
    if (visible) {
      streams.err().print(CLEAR_LINE);
      visible = false;
    }
  }

  @Override
  public void close() {
    hideForGood();
    if (registered) {
      try {
        Runtime.getRuntime().removeShutdownHook(atExit);
      } catch (IllegalStateException e) {
        // The process ends already.
      }
    }
  }

  private synchronized void hideForGood() {
    hide();
    ended = true;
  }

  /** False if the process ends already. */
  private boolean register() {
    if (!registered) {
      try {
        Runtime.getRuntime().addShutdownHook(atExit);
        registered = true;
      } catch (IllegalStateException e) {
        ended = true;
      }
    }
    return registered;
  }
}
