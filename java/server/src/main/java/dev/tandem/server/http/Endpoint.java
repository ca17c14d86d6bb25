package dev.tandem.server.http;

import dev.tandem.server.request.Refusal;

/** Serves the requests of one path. */
@FunctionalInterface
interface Endpoint {

  /**
   * Answers, now or later; on a virtual thread of the request's own, so that it may take its time.
   *
   * @throws HttpFailure if that is the answer
   * @throws Refusal if that is the answer
   */
  void serve(HttpCall call);
}
