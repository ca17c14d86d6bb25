package dev.tandem.runtime;

/**
 * A sealed program: a flat list of native operations. One call runs a whole step; everything that
 * varies from step to step lies in buffers that the operations read.
 */
public final class Program implements AutoCloseable {

  private final long handle;
  private boolean closed;

  Program(long handle) {
    this.handle = handle;
  }

  /**
   * Runs one step; returns when it is done.
   *
   * @throws RuntimeFailure if it was aborted, met values out of range, or its weights' file changed
   */
  public void run(AbortFlag flag) {
    Calls.check(Native.td_program_run(handle, flag.handle()));
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Calls.check(Native.td_program_close(handle));
    }
  }
}
