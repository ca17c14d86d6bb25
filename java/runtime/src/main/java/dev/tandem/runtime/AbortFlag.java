package dev.tandem.runtime;

/**
 * A flag that aborts the runs it is given to, at their next chunk of work. Stays set until cleared.
 */
public final class AbortFlag implements AutoCloseable {

  private final long handle;
  private boolean closed;

  public AbortFlag() {
    handle = Calls.check(Native.td_flag_create());
  }

  /**
   * Aborts; may be called from any thread, also after {@link #close()}, which makes it do nothing.
   */
  public synchronized void set() {
    if (!closed) {
      Calls.check(Native.td_flag_set(handle));
    }
  }

  public synchronized void clear() {
    if (!closed) {
      Calls.check(Native.td_flag_clear(handle));
    }
  }

  long handle() {
    return handle;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Calls.check(Native.td_flag_close(handle));
    }
  }
}
