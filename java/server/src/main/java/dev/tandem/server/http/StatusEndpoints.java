package dev.tandem.server.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.Refusal;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.Locale;

/** Whether the server lives, and whether it is ready. */
final class StatusEndpoints {

  private final Desk desk;

  StatusEndpoints(Desk desk) {
    this.desk = desk;
  }

  /** From the start to the end. */
  void live(HttpCall call) {
    call.exchange().send(Answer.json(Json.object().put("status", "live")));
  }

  /** Once the model is loaded, until the server is told to end. */
  void health(HttpCall call) {
    try {
      desk.ready();
      call.exchange().send(Answer.json(Json.object().put("status", "ok")));
    } catch (Refusal e) {
      HttpFailure failure = HttpFailure.of(e);
      ObjectNode body = Answer.error(failure);
      body.put("status", desk.state().name().toLowerCase(Locale.ROOT));
      Answer answer = Answer.of(failure);
      call.exchange()
          .send(
              new Answer(
                  HttpResponseStatus.SERVICE_UNAVAILABLE, answer.headers(), Json.bytes(body)));
    }
  }
}
