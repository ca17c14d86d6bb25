package dev.tandem.cli;

import dev.tandem.text.chat.ChatMessage;
import java.util.ArrayList;
import java.util.List;

/**
 * What was said, as far as it fits into a model's context. When it is full the oldest turns are
 * dropped: a message of the user and what was said until the next one. System messages stay.
 */
final class Conversation {

  private static final String SYSTEM = "system";
  private static final String USER = "user";

  /** Writes a conversation as a model reads it. */
  interface Prompts {
    /** Its tokens, up to where the answer begins. */
    int[] of(List<ChatMessage> messages);
  }

  /**
   * A message that waits for its answer.
   *
   * @param prompt the conversation's tokens
   * @param dropped turns that had to make room for it
   */
  record Question(int[] prompt, int dropped) {}

  private final Prompts prompts;
  private final int capacity;
  private final int reserve;
  private List<ChatMessage> messages = new ArrayList<>();

  /**
   * A conversation without messages.
   *
   * @param capacity tokens that the context holds
   * @param mostTokens that an answer can have
   */
  Conversation(Prompts prompts, int capacity, int mostTokens) {
    this.prompts = prompts;
    this.capacity = capacity;
    reserve = Math.min(mostTokens, capacity / 4);
  }

  List<ChatMessage> messages() {
    return List.copyOf(messages);
  }

  /**
   * The user says something. Room is left for an answer; if there is none, turns are dropped until
   * half of the context is free: the rest is read again then, which should be rare.
   *
   * @throws Failure if the message does not fit, even alone; then nothing has changed
   */
  Question ask(String text) {
    List<ChatMessage> all = new ArrayList<>(messages);
    all.add(ChatMessage.user(text));
    int[] prompt = prompts.of(all);
    int dropped = 0;
    if (prompt.length + reserve > capacity) {
      while (prompt.length > capacity / 2 && dropOldestTurn(all)) {
        prompt = prompts.of(all);
        dropped++;
      }
    }
    if (prompt.length >= capacity) {
      throw new Failure(
          "the message is too long: with what goes before it, it has %d tokens, and the context holds %d; shorten it, or choose a larger context (-c)"
              .formatted(prompt.length, capacity));
    }
    messages = all;
    return new Question(prompt, dropped);
  }

  /** The model has answered. */
  void answer(String text) {
    messages.add(ChatMessage.assistant(text));
  }

  /** The last message gets no answer, as if nobody had said it. */
  void takeBack() {
    messages.removeLast();
  }

  /** Forgets all but what the model should be like. */
  void reset() {
    messages.removeIf(message -> !isSystem(message));
  }

  /** Says what the model should be like, instead of what was said of it; empty for nothing. */
  void system(String text) {
    messages.removeIf(Conversation::isSystem);
    if (!text.isEmpty()) {
      messages.addFirst(ChatMessage.system(text));
    }
  }

  /** Becomes another conversation. */
  void load(List<ChatMessage> others) {
    messages = new ArrayList<>(others);
  }

  /** Of a conversation whose last message is the user's; that one stays. */
  private static boolean dropOldestTurn(List<ChatMessage> all) {
    int from = 0;
    while (isSystem(all.get(from))) {
      from++;
    }
    if (from == all.size() - 1) {
      return false;
    }
    int to = from + 1;
    while (!all.get(to).role().equals(USER)) {
      to++;
    }
    all.subList(from, to).removeIf(message -> !isSystem(message));
    return true;
  }

  private static boolean isSystem(ChatMessage message) {
    return message.role().equals(SYSTEM);
  }
}
