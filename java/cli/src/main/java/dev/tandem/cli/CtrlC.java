package dev.tandem.cli;

import java.util.Optional;
import org.jline.utils.Signals;

/**
 * Ctrl-C while something goes on that it is to stop: it does that, instead of ending the process.
 */
final class CtrlC implements AutoCloseable {

  private static final String SIGNAL = "INT";

  private final Runnable stop;
  private final Thread owner = Thread.currentThread();
  private final Optional<Object> before;
  private int presses;
  private boolean closed;

  /**
   * From now on until it is closed.
   *
   * @param wanted otherwise it does what it did before
   * @param stop called from another thread, perhaps several times
   */
  CtrlC(boolean wanted, Runnable stop) {
    this.stop = stop;
    before = wanted ? Optional.ofNullable(Signals.register(SIGNAL, this::press)) : Optional.empty();
  }

  /** How often it was pressed. */
  synchronized int presses() {
    return presses;
  }

  @Override
  public void close() {
    before.ifPresent(handler -> Signals.unregister(SIGNAL, handler));
    synchronized (this) {
      closed = true;
    }
  }

  private synchronized void press() {
    if (closed) { // on its way while it was closed: for what comes next
      owner.interrupt();
    } else {
      presses++;
      stop.run();
    }
  }
}
