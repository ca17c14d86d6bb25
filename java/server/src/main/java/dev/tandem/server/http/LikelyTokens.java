package dev.tandem.server.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.engine.sample.TokenProbabilities.TokenProbability;
import dev.tandem.text.TextStream;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.Vocabulary;
import java.util.ArrayList;
import java.util.List;

/** How likely the tokens of a text were, in OpenAI's two ways to tell it. */
final class LikelyTokens {

  // OpenAI's value for what is as good as impossible; ours goes beyond what clients' floats hold.
  private static final double LEAST = -9999;

  /**
   * A token that has been told.
   *
   * @param offset characters before the one that it begins in
   */
  private record Told(TokenProbabilities probabilities, int offset) {}

  private final Vocabulary vocabulary;
  private final boolean tellsOthers;
  private final TextStream text;
  private final List<Told> tokens = new ArrayList<>();
  private int characters; // of prompt and text so far

  /**
   * @param tellsOthers whether the likeliest ones were asked for as well
   * @param prompt in front of the text: offsets count its characters, too, as OpenAI's do
   */
  LikelyTokens(Tokenizer tokenizer, boolean tellsOthers, CompletionRequest.Prompt prompt) {
    this.vocabulary = tokenizer.vocabulary();
    this.tellsOthers = tellsOthers;
    text = new TextStream(tokenizer, false, this::count);
    characters = prompt.characters();
    if (prompt.ids().length > 0) {
      text.follow(prompt.ids()[prompt.ids().length - 1]);
    }
  }

  /** Whole characters: one for each byte that begins one. */
  private void count(byte[] utf8, int offset, int length) {
    for (int i = offset; i < offset + length; i++) {
      characters += (utf8[i] & 0xC0) == 0x80 ? 0 : 1;
    }
  }

  void add(TokenProbabilities token) {
    tokens.add(new Told(token, characters));
    if (isKnown(token.chosen().id())) {
      text.print(token.chosen().id());
    }
  }

  boolean isEmpty() {
    return tokens.isEmpty();
  }

  /** Forgets the tokens; those that follow stand behind them in the text. */
  void clear() {
    tokens.clear();
  }

  /** Models may have more tokens than their vocabulary has names for. */
  private boolean isKnown(int id) {
    return id < vocabulary.size();
  }

  private String name(TokenProbability token) {
    return isKnown(token.id()) ? vocabulary.text(token.id()) : "";
  }

  JsonNode forChat() {
    ObjectNode all = Json.object();
    ArrayNode content = all.putArray("content");
    for (Told token : tokens) {
      ObjectNode entry = entry(token.probabilities().chosen());
      ArrayNode top = entry.putArray("top_logprobs");
      token.probabilities().top().forEach(other -> top.add(entry(other)));
      content.add(entry);
    }
    return all.putNull("refusal");
  }

  private ObjectNode entry(TokenProbability token) {
    ObjectNode entry =
        Json.object().put("token", name(token)).put("logprob", Math.max(token.log(), LEAST));
    ArrayNode bytes = entry.putArray("bytes");
    if (isKnown(token.id())) {
      for (byte b : vocabulary.bytes(token.id())) {
        bytes.add(b & 0xFF);
      }
    }
    return entry;
  }

  JsonNode forText() {
    ObjectNode all = Json.object();
    ArrayNode names = all.putArray("tokens");
    ArrayNode logs = all.putArray("token_logprobs");
    ArrayNode tops = Json.object().putArray("top_logprobs");
    ArrayNode offsets = Json.object().putArray("text_offset");
    for (Told told : tokens) {
      TokenProbabilities token = told.probabilities();
      names.add(name(token.chosen()));
      logs.add(Math.max(token.chosen().log(), LEAST));
      offsets.add(told.offset());
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
    top.put(name(token), Math.max(token.log(), LEAST));
  }
}
