package dev.tandem.server;

import dev.tandem.server.request.Backend;

/** Makes what generates, while the ports are open already. */
@FunctionalInterface
public interface BackendLoader {

  /**
   * Loads; returns when requests can be served. Interrupting the thread ends it with an exception.
   *
   * @param listener hears of {@link StartListener#planned} and {@link StartListener#progress}
   */
  Backend load(StartListener listener);
}
