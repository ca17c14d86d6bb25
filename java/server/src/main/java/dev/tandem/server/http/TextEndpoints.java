package dev.tandem.server.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Desk;
import dev.tandem.text.TextSpan;
import dev.tandem.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * What text is to the model: tokens of a text, the text of tokens, the prompt of a conversation.
 */
final class TextEndpoints {

  // An object each, of some 300 bytes while the answer is made: a body may be of millions of
  // tokens.
  private static final int MOST_PIECES = 100_000;

  private final Desk desk;

  TextEndpoints(Desk desk) {
    this.desk = desk;
  }

  /** {@code {"content": "..."}} to {@code {"tokens": [...], "count": N}}. */
  void tokenize(HttpCall call) {
    Fields fields = call.json();
    Tokenizer tokenizer = backend().tokenizer();
    String text =
        fields
            .string("content")
            .or(() -> fields.string("prompt"))
            .orElseThrow(() -> HttpFailure.invalid("content", "content is missing: the text"));
    List<TextSpan> spans = List.of(new TextSpan(text, fields.flag("parse_special").orElse(true)));
    int[] ids = fields.isOn("add_special") ? tokenizer.encodeChat(spans) : tokenizer.encode(spans);
    boolean withPieces = fields.isOn("with_pieces");
    if (withPieces && ids.length > MOST_PIECES) {
      throw HttpFailure.invalid(
          "with_pieces",
          "with_pieces: the text has %d tokens, and the pieces of %d are told at most: ask in parts"
              .formatted(ids.length, MOST_PIECES));
    }
    ObjectNode body = Json.object();
    ArrayNode tokens = body.putArray("tokens");
    for (int id : ids) {
      if (withPieces) {
        tokens.addObject().put("id", id).put("piece", tokenizer.vocabulary().text(id));
      } else {
        tokens.add(id);
      }
    }
    call.exchange().send(Answer.json(body.put("count", ids.length)));
  }

  /** {@code {"tokens": [...]}} to {@code {"content": "..."}}. */
  void detokenize(HttpCall call) {
    Fields fields = call.json();
    Tokenizer tokenizer = backend().tokenizer();
    int[] ids = fields.tokens("tokens");
    for (int id : ids) {
      if (id >= tokenizer.vocabulary().size()) {
        throw HttpFailure.invalid(
            "tokens",
            "tokens: %d is not in the vocabulary: ids go from 0 to %d"
                .formatted(id, tokenizer.vocabulary().size() - 1));
      }
    }
    String text = new String(tokenizer.decode(ids), StandardCharsets.UTF_8);
    call.exchange().send(Answer.json(Json.object().put("content", text)));
  }

  /** {@code {"messages": [...]}} to {@code {"prompt": "...", "tokens": [...]}}. */
  void applyTemplate(HttpCall call) {
    Backend backend = backend();
    List<TextSpan> spans = ChatPrompt.render(call.json(), backend.chatTemplate());
    StringBuilder prompt = new StringBuilder();
    spans.forEach(span -> prompt.append(span.text()));
    ObjectNode body = Json.object().put("prompt", prompt.toString());
    ArrayNode tokens = body.putArray("tokens");
    for (int id : backend.tokenizer().encodeChat(spans)) {
      tokens.add(id);
    }
    call.exchange().send(Answer.json(body));
  }

  private Backend backend() {
    return desk.backend().orElseGet(desk::ready);
  }
}
