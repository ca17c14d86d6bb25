package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.engine.sample.TokenProbabilities.TokenProbability;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.text.Tokenizer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Log-probabilities of tokens that a vocabulary lacks; {@link CompletionsTest} has the others. */
final class LikelyTokensTest {

  private final Tokenizer tokenizer = ScriptedBackend.saying("").tokenizer();

  private TokenProbability known(String text) {
    return new TokenProbability(tokenizer.vocabulary().find(text).orElseThrow(), -1);
  }

  /** Of models whose output has more rows than the tokenizer has tokens, to fill up a tile. */
  @Test
  void rowsWithoutATokenHaveNoName() {
    TokenProbability nameless = new TokenProbability(ScriptedBackend.VOCABULARY + 7, -20_000);
    LikelyTokens likely =
        new LikelyTokens(tokenizer, true, new CompletionRequest.Prompt(new int[] {5}, "", 3));
    likely.add(new TokenProbabilities(known("a"), List.of(known("a"), nameless)));
    likely.add(new TokenProbabilities(nameless, List.of(known("b"), nameless)));
    likely.add(new TokenProbabilities(known("c"), List.of()));
    JsonNode text = likely.forText();
    assertEquals("[\"a\",\"\",\"c\"]", text.get("tokens").toString());
    assertEquals("[3,4,4]", text.get("text_offset").toString());
    assertEquals("{\"b\":-1.0,\"\":-9999.0}", text.at("/top_logprobs/1").toString());
    JsonNode entry = likely.forChat().at("/content/0/top_logprobs/1");
    assertEquals("{\"token\":\"\",\"logprob\":-9999.0,\"bytes\":[]}", entry.toString());
  }
}
