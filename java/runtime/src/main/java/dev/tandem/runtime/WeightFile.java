package dev.tandem.runtime;

import java.nio.file.Path;

/** A file that weights are read from. */
public final class WeightFile implements AutoCloseable {

  private final long handle;
  private boolean closed;

  private WeightFile(long handle) {
    this.handle = handle;
  }

  /**
   * Opens a file.
   *
   * @throws RuntimeFailure if it cannot be read
   */
  public static WeightFile open(Path path) {
    return new WeightFile(
        Calls.check(Native.td_file_open(Calls.text(path.toAbsolutePath().toString()))));
  }

  /** Size in bytes when it was opened. */
  public long size() {
    return Calls.check(Native.td_file_size(handle));
  }

  long handle() {
    return handle;
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      Calls.check(Native.td_file_close(handle));
    }
  }
}
