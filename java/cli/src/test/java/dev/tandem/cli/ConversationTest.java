package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatTemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What of a conversation stays in the context. A character is a token here, and two a message. */
class ConversationTest {

  private static final int CAPACITY = 100;
  private static final int UNLIMITED = Integer.MAX_VALUE;

  private static int[] tokens(List<ChatMessage> messages) {
    return new int[messages.stream().mapToInt(m -> m.content().length() + 2).sum()];
  }

  private static Conversation conversation(int mostTokens) {
    return new Conversation(ConversationTest::tokens, CAPACITY, mostTokens);
  }

  private static String text(char letter, int length) {
    return String.valueOf(letter).repeat(length);
  }

  /** The first letters of all contents: {@code Sabc}. */
  private static String letters(Conversation conversation) {
    StringBuilder letters = new StringBuilder();
    conversation.messages().forEach(m -> letters.append(m.content().charAt(0)));
    return letters.toString();
  }

  @Test
  void messagesAndAnswersFollowEachOther() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.system("S");
    Conversation.Question first = conversation.ask("a");
    assertEquals(0, first.dropped());
    assertEquals(6, first.prompt().length);
    conversation.answer("b");
    conversation.ask("c");
    assertEquals(
        List.of(
            ChatMessage.system("S"),
            ChatMessage.user("a"),
            ChatMessage.assistant("b"),
            ChatMessage.user("c")),
        conversation.messages());
    conversation.takeBack();
    assertEquals("Sab", letters(conversation));
  }

  @Test
  void fullContextDropsTheOldestTurnsUntilHalfOfItIsFree() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.system("SSSSSSSS"); // 10 tokens
    for (String turn : List.of("ab", "cd", "ef")) {
      assertEquals(0, conversation.ask(text(turn.charAt(0), 8)).dropped());
      conversation.answer(text(turn.charAt(1), 8)); // 20 a turn
    }
    // 70 and 5 are 75: with a quarter for the answer all is full, but nothing is too much.
    assertEquals(0, conversation.ask("ggg").dropped());
    conversation.answer("hhh"); // 80
    Conversation.Question question = conversation.ask("iii"); // 85: one turn less is 65, two 45
    assertEquals(2, question.dropped());
    assertEquals(45, question.prompt().length);
    assertEquals("Sefghi", letters(conversation));
  }

  @Test
  void answersThatCannotBeLongNeedLittleRoom() {
    Conversation conversation = conversation(3);
    conversation.ask(text('a', 50));
    conversation.answer(text('b', 30));
    assertEquals(0, conversation.ask(text('c', 11)).dropped()); // 97, and 3
    conversation.takeBack();
    assertEquals(1, conversation.ask(text('c', 12)).dropped());
    assertEquals("c", letters(conversation));
  }

  @Test
  void systemMessagesStayWhereverTheyAre() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.load(
        List.of(
            ChatMessage.system("Saaa"),
            ChatMessage.user(text('a', 30)),
            ChatMessage.system("Tbbb"),
            ChatMessage.assistant(text('b', 30)),
            ChatMessage.user("ccc")));
    assertEquals(1, conversation.ask("ddd").dropped());
    assertEquals("STcd", letters(conversation));
  }

  @Test
  void conversationThatBeginsWithAnAnswerIsDroppedFromThere() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.load(
        List.of(
            ChatMessage.assistant(text('a', 40)),
            new ChatMessage("tool", text('b', 40)),
            ChatMessage.user("cc")));
    assertEquals(1, conversation.ask("dd").dropped());
    assertEquals("cd", letters(conversation));
  }

  @Test
  void messageThatIsTooLongAloneChangesNothing() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.system("S");
    conversation.ask("a");
    conversation.answer("b");
    List<ChatMessage> before = conversation.messages();
    Failure failure = assertThrows(Failure.class, () -> conversation.ask(text('c', 95)));
    assertEquals(
        "the message is too long: with what goes before it, it has 100 tokens, and the context"
            + " holds 100; shorten it, or choose a larger context (-c)",
        failure.getMessage());
    assertEquals(before, conversation.messages());
    // One token less leaves room for one of the answer, and for nothing else.
    assertEquals(99, conversation.ask(text('c', 94)).prompt().length);
    assertEquals("Sc", letters(conversation));
  }

  @Test
  void messageThatTheTemplateRefusesChangesNothing() {
    Conversation conversation =
        new Conversation(
            messages -> {
              throw new ChatTemplateException("no");
            },
            CAPACITY,
            UNLIMITED);
    assertThrows(ChatTemplateException.class, () -> conversation.ask("a"));
    assertEquals(List.of(), conversation.messages());
  }

  @Test
  void resetKeepsTheSystemMessageAlone() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.system("S");
    conversation.ask("a");
    conversation.answer("b");
    conversation.reset();
    assertEquals(List.of(ChatMessage.system("S")), conversation.messages());
  }

  @Test
  void systemMessageIsReplacedOrLeftOut() {
    Conversation conversation = conversation(UNLIMITED);
    conversation.ask("a");
    conversation.system("S");
    assertEquals("Sa", letters(conversation));
    conversation.system("T");
    assertEquals("Ta", letters(conversation));
    conversation.system("");
    assertEquals("a", letters(conversation));
  }

  /** Whatever is said, the prompt fits, the system message is there, and the rest is the newest. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void anyConversationFits(long seed) {
    Random random = new Random(seed);
    int most = random.nextBoolean() ? UNLIMITED : random.nextInt(60);
    Conversation conversation = conversation(most);
    conversation.system("S");
    List<ChatMessage> all = new ArrayList<>();
    for (int i = 0; i < 300; i++) {
      String message = text('m', 1 + random.nextInt(i % 50 == 49 ? 200 : 20)) + i;
      Conversation.Question question;
      try {
        question = conversation.ask(message);
      } catch (Failure e) {
        assertTrue(message.length() + 5 >= CAPACITY, "seed " + seed + ", message " + i);
        continue;
      }
      all.add(ChatMessage.user(message));
      List<ChatMessage> kept = conversation.messages();
      assertEquals(tokens(kept).length, question.prompt().length);
      assertTrue(question.prompt().length < CAPACITY, "seed " + seed + ", message " + i);
      assertEquals(ChatMessage.system("S"), kept.getFirst());
      List<ChatMessage> turns = kept.subList(1, kept.size());
      assertEquals(all.subList(all.size() - turns.size(), all.size()), turns, "seed " + seed);
      assertEquals("user", turns.getFirst().role());
      int room = Math.min(most, CAPACITY - question.prompt().length);
      String answer = text('n', 1 + random.nextInt(room + 1));
      conversation.answer(answer);
      all.add(ChatMessage.assistant(answer));
    }
  }
}
