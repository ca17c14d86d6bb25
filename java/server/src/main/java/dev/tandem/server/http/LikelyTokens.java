package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.engine.sample.TokenProbabilities.TokenProbability;
import dev.tandem.text.Vocabulary;
import java.util.ArrayList;
import java.util.List;

/** How likely the tokens of a text were, in OpenAI's two ways to tell it. */
final class LikelyTokens {

  // OpenAI's value for what is as good as impossible; ours goes beyond what clients' floats hold.
  private static final double LEAST = -9999;

  private final Vocabulary vocabulary;
  private final boolean tellsOthers;
  private final List<TokenProbabilities> tokens = new ArrayList<>();
  private int offset; // characters of the text before the first token

  /**
   * @param tellsOthers whether the likeliest ones were asked for as well
   */
  LikelyTokens(Vocabulary vocabulary, boolean tellsOthers) {
    this.vocabulary = vocabulary;
    this.tellsOthers = tellsOthers;
  }

  void add(TokenProbabilities token) {
    tokens.add(token);
  }

  boolean isEmpty() {
    return tokens.isEmpty();
  }

  /** Forgets the tokens; those that follow stand behind them in the text. */
  void clear() {
    for (TokenProbabilities token : tokens) {
      offset += vocabulary.text(token.chosen().id()).length();
    }
    tokens.clear();
  }

  JsonNode forChat() {
    ObjectNode all = Json.object();
    ArrayNode content = all.putArray("content");
    for (TokenProbabilities token : tokens) {
      ObjectNode entry = entry(token.chosen());
      ArrayNode top = entry.putArray("top_logprobs");
      token.top().forEach(other -> top.add(entry(other)));
      content.add(entry);
    }
    return all.putNull("refusal");
  }

  private ObjectNode entry(TokenProbability token) {
    ObjectNode entry =
        Json.object()
            .put("token", vocabulary.text(token.id()))
            .put("logprob", Math.max(token.log(), LEAST));
    ArrayNode bytes = entry.putArray("bytes");
    for (byte b : vocabulary.bytes(token.id())) {
      bytes.add(b & 0xFF);
    }
    return entry;
  }

  JsonNode forText() {
    ObjectNode all = Json.object();
    ArrayNode names = all.putArray("tokens");
    ArrayNode logs = all.putArray("token_logprobs");
    ArrayNode tops = Json.object().putArray("top_logprobs");
    ArrayNode offsets = Json.object().putArray("text_offset");
    int at = offset;
    for (TokenProbabilities token : tokens) {
      String text = vocabulary.text(token.chosen().id());
      names.add(text);
      logs.add(Math.max(token.chosen().log(), LEAST));
      offsets.add(at);
      at += text.length();
      ObjectNode top = tops.addObject();
      token.top().forEach(other -> put(top, other));
      put(top, token.chosen());
    }
    if (tellsOthers) {
      all.set("top_logprobs", tops);
    } else {
      all.putNull("top_logprobs");
    }
    return all.set("text_offset", offsets);
  }

  private void put(ObjectNode top, TokenProbability token) {
    top.put(vocabulary.text(token.id()), Math.max(token.log(), LEAST));
  }
}
