package dev.tandem.server.rpc;

import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.Penalties;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.protocol.v1.Conversation;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.ModelCard;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.text.TextSpan;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.Vocabulary;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import dev.tandem.text.chat.ChatTemplateException;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.IntStream;

/** Reads what a client asks for; what it does not say, the model's card does. */
final class GenerateReader {

  /** The protocol promises no more; see tandem.proto. */
  private static final int MOST_STOPS = 16;

  private GenerateReader() {}

  /**
   * How to generate; the number of tokens is left open.
   *
   * @throws Refusal if a value is out of its range
   */
  static GenerationOptions options(GenerateRequest request, Backend backend) {
    if (request.getStopCount() > MOST_STOPS) {
      throw Refusal.of(
          Problem.INVALID_ARGUMENT,
          "stop",
          "stop: %d strings are too many; up to %d are possible"
              .formatted(request.getStopCount(), MOST_STOPS));
    }
    int likeliest =
        request.hasLogProbabilities()
            ? clamped(request.getLogProbabilities())
            : GenerationOptions.NONE;
    try {
      SamplingOptions sampling = sampling(request.getSampling(), backend.card().sampling());
      return new GenerationOptions(
          GenerationOptions.UNLIMITED,
          request.getIgnoreEnd() ? sampling.withBanned(ends(backend.tokenizer())) : sampling,
          request.getIgnoreEnd(),
          request.getStopList(),
          likeliest);
    } catch (IllegalArgumentException e) {
      throw Refusal.of(Problem.INVALID_ARGUMENT, e.getMessage());
    }
  }

  private static int[] ends(Tokenizer tokenizer) {
    Vocabulary vocabulary = tokenizer.vocabulary();
    return IntStream.range(0, vocabulary.size()).filter(vocabulary::isEndOfGeneration).toArray();
  }

  private static SamplingOptions sampling(Sampling asked, SamplingOptions defaults) {
    Penalties usual = defaults.penalties();
    Penalties penalties =
        new Penalties(
            asked.hasPenaltyTokens() ? clamped(asked.getPenaltyTokens()) : usual.lastTokens(),
            asked.hasRepeatPenalty() ? asked.getRepeatPenalty() : usual.repeat(),
            asked.hasPresencePenalty() ? asked.getPresencePenalty() : usual.presence(),
            asked.hasFrequencyPenalty() ? asked.getFrequencyPenalty() : usual.frequency());
    return new SamplingOptions(
        asked.hasTemperature() ? asked.getTemperature() : defaults.temperature(),
        asked.hasTopK() ? clamped(asked.getTopK()) : defaults.topK(),
        asked.hasTypical() ? asked.getTypical() : defaults.typical(),
        asked.hasTopP() ? asked.getTopP() : defaults.topP(),
        asked.hasMinP() ? asked.getMinP() : defaults.minP(),
        penalties,
        asked.getLogitBiasCount() == 0 ? defaults.logitBias() : bias(asked.getLogitBiasMap()),
        asked.hasSeed() ? asked.getSeed() : ThreadLocalRandom.current().nextLong());
  }

  private static Map<Integer, Float> bias(Map<Integer, Float> asked) {
    if (asked.size() > SamplingOptions.MOST_ADJUSTMENTS) { // before all are looked at
      throw Refusal.of(
          Problem.INVALID_ARGUMENT,
          "logit_bias",
          "logit_bias: %d tokens are too many; up to %d are possible"
              .formatted(asked.size(), SamplingOptions.MOST_ADJUSTMENTS));
    }
    Map<Integer, Float> bias = new HashMap<>();
    asked.forEach((id, value) -> bias.put(clamped(id), value));
    return bias;
  }

  /**
   * Most tokens to generate.
   *
   * @throws Refusal if they can never fit
   */
  static OptionalInt maxTokens(GenerateRequest request, ModelCard card) {
    if (!request.hasMaxTokens()) {
      return OptionalInt.empty();
    }
    if (request.getMaxTokens() < 0) {
      throw Refusal.of(
          Problem.CONTEXT_EXCEEDED,
          "max_tokens",
          "max_tokens: %d are more than the context, which has room for %d (-c)"
              .formatted(Integer.toUnsignedLong(request.getMaxTokens()), card.contextTokens()));
    }
    return OptionalInt.of(request.getMaxTokens());
  }

  /** A number without sign, as far as Java's go: no limit here lies above them. */
  static int clamped(int unsigned) {
    return unsigned < 0 ? Integer.MAX_VALUE : unsigned;
  }

  /**
   * Token ids that a client sent; those beyond Java's numbers are in no vocabulary either.
   *
   * @throws Refusal if one is not in the vocabulary
   */
  static int[] ids(List<Integer> asked, int vocabulary) {
    int[] ids = new int[asked.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = asked.get(i);
      if (ids[i] < 0 || ids[i] >= vocabulary) {
        throw Refusal.of(
            Problem.INVALID_ARGUMENT,
            "ids",
            "token %d is not in the vocabulary: ids go from 0 to %d"
                .formatted(Integer.toUnsignedLong(ids[i]), vocabulary - 1));
      }
    }
    return ids;
  }

  /**
   * The tokens of a prompt. Takes as long as its text is long.
   *
   * @throws Refusal if it is none
   */
  static int[] prompt(GenerateRequest request, Backend backend) {
    return switch (request.getPromptCase()) {
      case TEXT -> begun(request.getText(), backend.tokenizer());
      case TOKEN_IDS -> ids(request.getTokenIds().getIdsList(), backend.card().vocabulary());
      case CONVERSATION ->
          backend.tokenizer().encodeChat(rendered(request.getConversation(), backend));
      case PROMPT_NOT_SET ->
          throw Refusal.of(
              Problem.INVALID_ARGUMENT,
              "prompt",
              "the request has no prompt: one of text, token_ids and conversation is needed");
    };
  }

  private static int[] begun(String text, Tokenizer tokenizer) {
    int[] begin = tokenizer.beginTokens();
    int[] ids = tokenizer.encode(text, false);
    int[] all = new int[begin.length + ids.length];
    System.arraycopy(begin, 0, all, 0, begin.length);
    System.arraycopy(ids, 0, all, begin.length, ids.length);
    return all;
  }

  /**
   * The prompt of a conversation.
   *
   * @throws Refusal if the template refuses it
   */
  static List<TextSpan> rendered(Conversation conversation, Backend backend) {
    try {
      List<ChatMessage> messages = new ArrayList<>();
      conversation
          .getMessagesList()
          .forEach(
              message -> messages.add(new ChatMessage(message.getRole(), message.getContent())));
      return backend.chatTemplate().render(messages, ChatOptions.at(LocalDateTime.now()));
    } catch (ChatTemplateException | IllegalArgumentException e) {
      throw Refusal.of(Problem.INVALID_ARGUMENT, "conversation", e.getMessage());
    }
  }

  /** Characters of a request's prompt, or its tokens: about how long it takes to read it. */
  static int length(GenerateRequest request) {
    return switch (request.getPromptCase()) {
      case TEXT -> request.getText().length();
      case TOKEN_IDS -> request.getTokenIds().getIdsCount();
      // Templates are programs.
      case CONVERSATION -> Integer.MAX_VALUE;
      case PROMPT_NOT_SET -> 0;
    };
  }
}
