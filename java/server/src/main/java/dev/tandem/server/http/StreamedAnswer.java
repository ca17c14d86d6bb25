package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.server.request.ModelCard;
import dev.tandem.server.request.Outcome;
import dev.tandem.text.Tokenizer;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** An event for each token, as soon as it is there. */
final class StreamedAnswer implements CompletionSink {

  private static final byte[] DATA = ascii("data: ");
  private static final byte[] END = ascii("\n\n");
  private static final byte[] DONE = ascii("data: [DONE]\n\n");

  private final Exchange exchange;
  private final EventStream events;
  private final CompletionRequest request;
  private final ModelCard card;
  private final long created = System.currentTimeMillis() / 1000;
  private final List<Choice> choices;
  private volatile boolean opened;

  StreamedAnswer(
      Exchange exchange,
      EventStream events,
      CompletionRequest request,
      ModelCard card,
      Tokenizer tokenizer) {
    this.exchange = exchange;
    this.events = events;
    this.request = request;
    this.card = card;
    this.choices =
        IntStream.range(0, request.choices())
            .mapToObj(index -> new Choice(index, tokenizer))
            .toList();
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  @Override
  public void open() {
    opened = true;
    events.open();
    choices.forEach(Choice::open);
  }

  @Override
  public void token(
      int choice, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
    choices.get(choice).piece(utf8, length, probabilities);
  }

  @Override
  public void end(int choice, Outcome outcome) {
    choices.get(choice).end(outcome);
  }

  @Override
  public void complete(Usage usage) {
    if (request.usageAtEnd()) {
      ObjectNode last = chunk();
      last.putArray("choices");
      events.send(event(last.set("usage", usage.json())));
    }
    events.end(buffer(DONE.length).writeBytes(DONE));
  }

  @Override
  public void fail(HttpFailure failure) {
    if (!opened) {
      exchange.fail(failure);
    } else if (failure.code().equals("slow_reader")) {
      events.abort();
    } else {
      // The connection stays: its end was not announced, and the client may send on it already.
      events.end(event(Answer.error(failure)));
    }
  }

  private ByteBuf buffer(int bytes) {
    return exchange.channel().alloc().buffer(bytes);
  }

  private ByteBuf event(JsonNode data) {
    byte[] json = Json.bytes(data);
    return buffer(DATA.length + json.length + END.length)
        .writeBytes(DATA)
        .writeBytes(json)
        .writeBytes(END);
  }

  /** The fields that all parts begin with. */
  private ObjectNode chunk() {
    return Json.object()
        .put("id", request.style().answerId(exchange.id()))
        .put("object", request.style().chunk())
        .put("created", created)
        .put("model", card.name());
  }

  /** A part with the fields of one choice. */
  private ObjectNode chunk(ObjectNode choice) {
    ObjectNode chunk = chunk();
    chunk.putArray("choices").add(choice);
    return request.usageAtEnd() ? chunk.putNull("usage") : chunk;
  }

  /** One text. For its own thread. */
  private final class Choice {
    private final int index;
    private final LikelyTokens likely;
    // A part is these with a text and log-probabilities between them: nothing else changes.
    private final byte[] before;
    private final byte[] between;
    private final byte[] after;

    Choice(int index, Tokenizer tokenizer) {
      this.index = index;
      likely =
          new LikelyTokens(
              tokenizer, request.options().logProbabilities() > 0, request.prompt(index));
      String fields = chunk().toString();
      before =
          ("data: "
                  + fields.substring(0, fields.length() - 1)
                  + ",\"choices\":[{\"index\":"
                  + index
                  + ","
                  + request.style().beforePiece())
              .getBytes(StandardCharsets.UTF_8);
      between = ascii(request.style().afterPiece() + ",\"logprobs\":");
      after =
          ascii(
              ",\"finish_reason\":null}]"
                  + (request.usageAtEnd() ? ",\"usage\":null" : "")
                  + "}\n\n");
    }

    /** What comes before the text: who speaks, or the prompt again. */
    void open() {
      if (request.style() == AnswerStyle.CHAT) {
        ObjectNode choice = Json.object().put("index", index);
        choice.putObject("delta").put("role", "assistant").put("content", "");
        events.send(event(chunk(choice.putNull("logprobs").putNull("finish_reason"))));
      } else if (!request.prompt(index).echo().isEmpty()) {
        text(request.prompt(index).echo());
      }
    }

    void piece(byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
      probabilities.ifPresent(likely::add);
      if (length > 0 || probabilities.isPresent()) {
        events.send(part(utf8, length));
        likely.clear();
      }
    }

    private void text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      if (utf8.length > 0) {
        events.send(part(utf8, utf8.length));
      }
    }

    private ByteBuf part(byte[] utf8, int length) {
      byte[] probabilities =
          likely.isEmpty() ? ascii("null") : Json.bytes(request.style().likely(likely));
      ByteBuf part =
          buffer(before.length + length + 2 + between.length + probabilities.length + after.length);
      part.writeBytes(before);
      JsonText.write(utf8, length, part);
      return part.writeBytes(between).writeBytes(probabilities).writeBytes(after);
    }

    void end(Outcome outcome) {
      text(outcome.rest());
      ObjectNode choice = Json.object().put("index", index);
      choice.setAll(request.style().noMoreText());
      choice.putNull("logprobs").put("finish_reason", WholeAnswer.reason(outcome));
      ObjectNode chunk = chunk(choice);
      chunk.set("timings", Usage.timings(outcome));
      events.send(event(chunk));
    }
  }
}
