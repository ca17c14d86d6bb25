package dev.tandem.server;

import dev.tandem.server.request.ModelCard;
import java.time.Duration;

/** Hears how a server starts; but for {@link #listening}, on a thread of its own. */
public interface StartListener {

  /** Both ports are open; the model is not there yet. */
  default void listening(TandemServer server) {}

  /** It is known what the model will take. */
  default void planned(MemoryPlan plan) {}

  /** So many bytes of all weights are loaded; often. */
  default void progress(long loaded, long total) {}

  /** Requests are served from now on. */
  default void ready(ModelCard card, Duration took) {}

  /** The model cannot be loaded; the server tells so to everybody until it is closed. */
  default void failed(Throwable why) {}
}
