package dev.tandem.server.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.ModelCard;
import io.netty.handler.codec.http.HttpResponseStatus;

/** Tells of the model. There is one. */
final class ModelEndpoints {

  private final Desk desk;

  ModelEndpoints(Desk desk) {
    this.desk = desk;
  }

  void list(HttpCall call) {
    ObjectNode body = Json.object().put("object", "list");
    body.putArray("data").add(node(card()));
    call.exchange().send(Answer.json(body));
  }

  void one(HttpCall call) {
    ModelCard card = card();
    if (!Router.model(call).equals(card.name())) {
      throw unknown(card);
    }
    call.exchange().send(Answer.json(node(card)));
  }

  /** A request is for another model. */
  static HttpFailure unknown(ModelCard card) {
    return HttpFailure.of(
            HttpResponseStatus.NOT_FOUND,
            "model_not_found",
            "this server has one model, which is called " + card.name())
        .about("model");
  }

  private ModelCard card() {
    return desk.backend().map(Backend::card).orElseGet(() -> desk.ready().card());
  }

  private static ObjectNode node(ModelCard card) {
    ObjectNode node =
        Json.object()
            .put("id", card.name())
            .put("object", "model")
            .put("created", card.createdSeconds())
            .put("owned_by", "tandem");
    ObjectNode meta = node.putObject("meta");
    meta.put("architecture", card.architecture())
        .put("format", card.format())
        .put("parameters", card.parameters())
        .put("context_tokens", card.contextTokens())
        .put("vocabulary", card.vocabulary())
        .put("has_chat_template", card.hasChatTemplate())
        .put("placement", card.placement());
    meta.putObject("sampling")
        .put("temperature", card.sampling().temperature())
        .put("top_k", card.sampling().topK())
        .put("top_p", card.sampling().topP())
        .put("min_p", card.sampling().minP());
    return node;
  }
}
