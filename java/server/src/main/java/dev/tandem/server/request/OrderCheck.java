package dev.tandem.server.request;

import dev.tandem.engine.GenerationOptions;
import java.time.Duration;

/** Whether an order can be served at all, by this model and within these limits. */
final class OrderCheck {

  // Longer ones are none: nobody waits so long, and their nanoseconds would not fit into a long.
  private static final Duration LONGEST_DEADLINE = Duration.ofDays(365);

  private OrderCheck() {}

  /**
   * The order with its number of tokens settled.
   *
   * @throws Refusal if it can never be served
   */
  static Order settled(Order order, ModelCard card, DeskLimits limits) {
    requirePrompt(order.prompt(), card, limits);
    int room = card.contextTokens() - order.prompt().length;
    requireRoom(order, room, card);
    if (order.priority() > order.caller().highestPriority()) {
      throw Refusal.of(
          Problem.PERMISSION_DENIED,
          "priority",
          "priority %d is above %d, the highest that this token allows"
              .formatted(order.priority(), order.caller().highestPriority()));
    }
    if (order.deadline().isNegative()) {
      throw Refusal.of(Problem.DEADLINE_EXCEEDED, "deadline", "the deadline has passed already");
    }
    GenerationOptions asked = order.options();
    try {
      asked.sampling().requireFitting(card.vocabulary());
    } catch (IllegalArgumentException e) {
      throw Refusal.of(Problem.INVALID_ARGUMENT, e.getMessage());
    }
    GenerationOptions options =
        new GenerationOptions(
            order.maxTokens().orElse(room),
            asked.sampling(),
            asked.ignoreEnd(),
            asked.stop(),
            asked.logProbabilities());
    boolean endless = order.deadline().compareTo(LONGEST_DEADLINE) > 0;
    return new Order(
        order.id(),
        order.caller(),
        order.prompt(),
        options,
        order.maxTokens(),
        order.priority(),
        endless ? Duration.ZERO : order.deadline(),
        order.protocol());
  }

  private static void requirePrompt(int[] prompt, ModelCard card, DeskLimits limits) {
    if (prompt.length == 0) {
      throw Refusal.of(
          Problem.INVALID_ARGUMENT, "prompt", "the prompt is empty: at least one token is needed");
    }
    if (prompt.length > limits.promptTokens()) {
      throw Refusal.of(
          Problem.CONTEXT_EXCEEDED,
          "prompt",
          "the prompt has %d tokens, and this server takes %d (--max-prompt-tokens)"
              .formatted(prompt.length, limits.promptTokens()));
    }
    if (prompt.length > card.contextTokens()) {
      throw Refusal.of(
          Problem.CONTEXT_EXCEEDED,
          "prompt",
          "the prompt has %d tokens, and the context has room for %d (-c)"
              .formatted(prompt.length, card.contextTokens()));
    }
    for (int id : prompt) {
      if (id < 0 || id >= card.vocabulary()) {
        throw Refusal.of(
            Problem.INVALID_ARGUMENT,
            "prompt",
            "token %d is not in the vocabulary: ids go from 0 to %d"
                .formatted(id, card.vocabulary() - 1));
      }
    }
  }

  private static void requireRoom(Order order, int room, ModelCard card) {
    int wanted = order.maxTokens().orElse(1); // who asks for none in particular wants some
    if (wanted < 0) {
      throw Refusal.of(
          Problem.INVALID_ARGUMENT, "max_tokens", "max_tokens: %d is negative".formatted(wanted));
    }
    if (wanted > room) {
      throw Refusal.of(
          Problem.CONTEXT_EXCEEDED,
          "max_tokens",
          "the prompt has %d tokens and %d are to be generated: the context has room for %d (-c)"
              .formatted(order.prompt().length, wanted, card.contextTokens()));
    }
  }
}
