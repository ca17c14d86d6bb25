package dev.tandem.server.http;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.server.request.ModelCard;
import dev.tandem.server.request.Outcome;
import dev.tandem.text.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.IntStream;

/** One JSON document, when all texts are complete. */
final class WholeAnswer implements CompletionSink {

  private final Exchange exchange;
  private final CompletionRequest request;
  private final ModelCard card;
  private final List<Choice> choices;

  WholeAnswer(Exchange exchange, CompletionRequest request, ModelCard card, Tokenizer tokenizer) {
    this.exchange = exchange;
    this.request = request;
    this.card = card;
    this.choices =
        IntStream.range(0, request.choices())
            .mapToObj(index -> new Choice(index, tokenizer))
            .toList();
  }

  @Override
  public void open() {}

  @Override
  public void token(
      int choice, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
    choices.get(choice).text.write(utf8, 0, length);
    probabilities.ifPresent(choices.get(choice).likely::add);
  }

  @Override
  public void end(int choice, Outcome outcome) {
    choices.get(choice).end(outcome);
  }

  @Override
  public void complete(Usage usage) {
    ObjectNode body =
        Json.object()
            .put("id", request.style().answerId(exchange.id()))
            .put("object", request.style().object())
            .put("created", System.currentTimeMillis() / 1000)
            .put("model", card.name());
    ArrayNode all = body.putArray("choices");
    for (int i = 0; i < choices.size(); i++) {
      all.add(choices.get(i).json(i));
    }
    body.set("usage", usage.json());
    body.set("timings", Usage.timings(choices.getFirst().outcome.orElseThrow()));
    exchange.send(Answer.json(body));
  }

  @Override
  public void fail(HttpFailure failure) {
    exchange.fail(failure);
  }

  /** One text. Written by its own thread, read when that has ended it. */
  private final class Choice {
    private final ByteArrayOutputStream text = new ByteArrayOutputStream();
    private final LikelyTokens likely;
    private RawValue told = new RawValue("null"); // written before the outcome
    private volatile Optional<Outcome> outcome = Optional.empty();

    Choice(int index, Tokenizer tokenizer) {
      likely =
          new LikelyTokens(
              tokenizer, request.options().logProbabilities() > 0, request.prompt(index));
    }

    /**
     * Written at once: as objects, the log-probabilities of all texts would take many times that.
     */
    void end(Outcome end) {
      if (request.wantsProbabilities()) {
        told = Json.raw(request.style().likely(likely));
        likely.clear();
      }
      outcome = Optional.of(end);
    }

    ObjectNode json(int index) {
      Outcome end = outcome.orElseThrow();
      String whole =
          request.prompt(index).echo() + text.toString(StandardCharsets.UTF_8) + end.rest();
      ObjectNode node = Json.object().put("index", index);
      node.setAll(request.style().text(whole));
      node.putRawValue("logprobs", told);
      return node.put("finish_reason", reason(end));
    }
  }

  /** Why a text ended, as OpenAI says it. */
  static String reason(Outcome outcome) {
    return outcome.generation().reason().name().toLowerCase(Locale.ROOT);
  }
}
