package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.cli.Chat.Next;
import dev.tandem.engine.Generation;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatTemplateException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What lines do in a chat, with answers made up here. */
class ChatTest {

  @TempDir Path folder;
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();
  private final Queue<ChatAnswer> answers = new ArrayDeque<>();
  private final Conversation conversation =
      new Conversation(
          messages -> {
            if (messages.getLast().content().equals("refuse")) {
              throw new ChatTemplateException("the template refuses that");
            }
            return new int[messages.stream().mapToInt(m -> m.content().length()).sum()];
          },
          100,
          Integer.MAX_VALUE);

  private Chat chat(boolean statsAlways) {
    Streams streams =
        new Streams(
            InputStream.nullInputStream(),
            OutputStream.nullOutputStream(),
            new PrintStream(err, true, StandardCharsets.UTF_8),
            Set.of());
    return new Chat(
        conversation,
        prompt -> answers.remove(),
        new ChatReport(() -> 42, 100),
        streams,
        statsAlways);
  }

  private static ChatAnswer answer(String text) {
    return answer(text, Generation.Reason.STOP, false, false);
  }

  private static ChatAnswer answer(
      String text, Generation.Reason reason, boolean filled, boolean leaves) {
    Generation generation =
        new Generation(
            reason,
            Optional.empty(),
            30,
            12,
            5,
            Duration.ZERO,
            Duration.ofMillis(100),
            Duration.ofMillis(200));
    return new ChatAnswer(text, generation, filled, leaves);
  }

  private String notes() {
    String notes = err.toString(StandardCharsets.UTF_8);
    err.reset();
    return notes;
  }

  private String contents() {
    return String.join("|", conversation.messages().stream().map(ChatMessage::content).toList());
  }

  @Test
  void messageAndAnswerAreInTheConversation() {
    Chat chat = chat(false);
    answers.add(answer("Hello!"));
    assertEquals(Next.GO_ON, chat.line("Hi"));
    assertEquals(
        List.of(ChatMessage.user("Hi"), ChatMessage.assistant("Hello!")), conversation.messages());
    assertEquals("", notes());
    assertFalse(chat.hasFailed());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\t", "\n"})
  void blankLineDoesNothing(String line) {
    assertEquals(Next.GO_ON, chat(true).line(line));
    assertEquals("", contents());
    assertEquals("", notes());
  }

  @Test
  void slashBehindASpaceIsAMessage() {
    answers.add(answer("?"));
    chat(false).line(" /help me");
    assertEquals(" /help me|?", contents());
  }

  // ---- answers that end otherwise ----

  @Test
  void whatWasSaidOfAStoppedAnswerStays() {
    answers.add(answer("Once upon", Generation.Reason.CANCELLED, false, false));
    assertEquals(Next.GO_ON, chat(false).line("Tell me a story"));
    assertEquals("Tell me a story|Once upon", contents());
  }

  @Test
  void messageWhoseAnswerWasStoppedBeforeItBeganIsTakenBack() {
    answers.add(answer("", Generation.Reason.CANCELLED, false, false));
    assertEquals(Next.GO_ON, chat(false).line("Tell me a story"));
    assertEquals("", contents());
  }

  @Test
  void emptyAnswerIsAnAnswer() {
    answers.add(answer(""));
    chat(false).line("Say nothing");
    assertEquals(2, conversation.messages().size());
  }

  @Test
  void pressedTwiceLeaves() {
    answers.add(answer("Once", Generation.Reason.CANCELLED, false, true));
    assertEquals(Next.INTERRUPTED, chat(false).line("Tell me a story"));
  }

  @Test
  void answerThatFillsTheContextIsTold() {
    answers.add(answer("and so on", Generation.Reason.LENGTH, true, false));
    chat(false).line("Tell me a story");
    assertEquals(
        "tandem: the context is full: the answer is cut off; a larger context (-c) holds more\n",
        notes());
  }

  // ---- the context ----

  @Test
  void droppedTurnsAreToldOnOneLine() {
    Chat chat = chat(false);
    for (String text : List.of("a", "b", "c")) {
      answers.add(answer(text.repeat(15)));
      chat.line(text.repeat(10));
    }
    assertEquals("", notes());
    answers.add(answer("d"));
    chat.line("d".repeat(5));
    assertEquals("tandem: the context is full: dropped the oldest 2 turns\n", notes());
    answers.add(answer("e"));
    chat.line("e".repeat(70));
    assertEquals("tandem: the context is full: dropped the oldest 2 turns\n", notes());
    answers.add(answer("f"));
    chat.line("f".repeat(20));
    assertEquals("tandem: the context is full: dropped the oldest turn\n", notes());
    assertFalse(chat.hasFailed());
  }

  @ParameterizedTest
  @ValueSource(strings = {"LONG", "refuse"})
  void messageThatCannotBeAnsweredIsOneLineAndTheChatGoesOn(String message) {
    Chat chat = chat(false);
    answers.add(answer("Hello!"));
    chat.line("Hi");
    assertEquals(Next.GO_ON, chat.line(message.replace("LONG", "x".repeat(200))));
    String notes = notes();
    assertTrue(
        notes.startsWith("tandem: the message is too long: ")
            || notes.equals("tandem: the template refuses that\n"),
        notes);
    assertEquals(1, notes.lines().count());
    assertEquals("Hi|Hello!", contents());
    assertTrue(chat.hasFailed());
    answers.add(answer("Bye!"));
    chat.line("Bye");
    assertEquals("Hi|Hello!|Bye|Bye!", contents());
  }

  @Test
  void answerThatNobodyCanReadEndsTheChat() {
    Failure full = new Failure("standard output cannot be written: No space left on device");
    Chat chat =
        new Chat(
            conversation,
            prompt -> {
              throw full;
            },
            new ChatReport(() -> 0, 100),
            Streams.ofProcess(),
            false);
    assertSame(full, assertThrows(Failure.class, () -> chat.line("Hi")));
  }

  // ---- commands ----

  @Test
  void helpListsAllCommands() {
    chat(false).line("/help");
    String help = notes();
    chat(false).line("/nothing");
    String listed = notes();
    for (String command :
        List.of("/help", "/reset", "/system", "/save", "/load", "/stats", "/exit")) {
      assertTrue(help.contains("\n" + command) || help.startsWith(command), help);
      assertTrue(listed.contains(command), listed);
    }
    assertTrue(help.lines().allMatch(line -> line.length() <= 80), help);
  }

  @ParameterizedTest
  @CsvSource({"/foo, /foo", "/foo bar, /foo", "/Help, /Help", "//, //", "/, /", "/exit!, /exit!"})
  void unknownCommandIsToldWithTheList(String line, String named) {
    Chat chat = chat(false);
    assertEquals(Next.GO_ON, chat.line(line));
    String notes = notes();
    assertTrue(
        notes.startsWith("tandem: there is no command " + named + "; commands: /help, "), notes);
    assertEquals(1, notes.lines().count());
    assertTrue(chat.hasFailed());
    assertEquals("", contents());
  }

  @Test
  void exitLeaves() {
    assertEquals(Next.LEAVE, chat(false).line("/exit"));
    assertEquals(Next.LEAVE, chat(false).line("/exit  "));
  }

  @Test
  void systemAndResetSayWhatTheyDid() {
    Chat chat = chat(false);
    chat.line("/system  You are a pirate.\nArr. ");
    assertEquals("You are a pirate.\nArr.", contents());
    assertEquals("The system message is set.\n", notes());
    answers.add(answer("Arr!"));
    chat.line("Hi");
    chat.line("/reset");
    assertEquals("You are a pirate.\nArr.", contents());
    assertEquals("The conversation is forgotten.\n", notes());
    chat.line("/system");
    assertEquals("", contents());
    assertEquals("No system message.\n", notes());
  }

  @Test
  void conversationIsSavedAndLoaded() throws IOException {
    Path file = folder.resolve("a conversation.json");
    Chat chat = chat(false);
    chat.line("/system S");
    answers.add(answer("\u00e9\n\"\uD83E\uDD9C\" <|im_end|> \\"));
    chat.line("Hi");
    List<ChatMessage> before = conversation.messages();
    notes();
    chat.line("/save " + file);
    assertEquals("Saved 3 messages to " + file + ".\n", notes());
    conversation.load(List.of());
    chat.line("/load " + file);
    assertEquals("Loaded 3 messages from " + file + ".\n", notes());
    assertEquals(before, conversation.messages());
    chat.line("/reset");
    chat.line("/save " + file);
    assertEquals(1, Files.readString(file).split("\"role\"", -1).length - 1);
    assertFalse(chat.hasFailed());
  }

  @Test
  void whatCannotBeSavedOrLoadedIsToldAndChangesNothing() throws IOException {
    Chat chat = chat(false);
    chat.line("/save " + folder.resolve("x"));
    assertEquals("tandem: there is nothing to save: nothing was said\n", notes());
    answers.add(answer("Hello!"));
    chat.line("Hi");
    for (String command : List.of("/save", "/load")) {
      chat.line(command);
      assertEquals("tandem: " + command + " needs the name of a file\n", notes());
      chat.line(command + " /no/x.json");
      assertEquals("tandem: /no/x.json: there is no folder /no\n", notes());
      chat.line(command + " " + folder);
      assertEquals("tandem: " + folder + ": Is a directory\n", notes());
      chat.line(command + " a\0b");
      assertEquals("tandem: 'a\\u0000b' is no name of a file\n", notes());
    }
    Path file = Files.writeString(folder.resolve("x.json"), "[{\"role\": \"user\"}]");
    chat.line("/load " + file);
    String notes = notes();
    assertTrue(notes.startsWith("tandem: " + file + ": line 1, "), notes);
    assertTrue(notes.endsWith(": message 1 has no content\n"), notes);
    assertEquals("Hi|Hello!", contents());
    assertTrue(chat.hasFailed());
  }

  // ---- numbers ----

  @Test
  void statisticsCountAllAnswers() {
    Chat chat = chat(false);
    chat.line("/stats");
    assertEquals(
        """
        0 messages
        last answer: none; context 42 of 100 tokens
        all 0 answers: cached 0 tokens | read 0 tokens | generated 0 tokens
        """,
        notes());
    answers.add(answer("a"));
    answers.add(answer("b"));
    chat.line("x");
    chat.line("y");
    chat.line("/stats");
    assertEquals(
        """
        4 messages
        last answer: cached 30 tokens | read 12 tokens, 120.0 tokens/s, first token after 0.100 s \
        | generated 5 tokens, 20.0 tokens/s | end: stop | context 42 of 100 tokens
        all 2 answers: cached 60 tokens | read 24 tokens | generated 10 tokens
        """,
        notes());
  }

  @Test
  void statisticsFollowEveryAnswerOnRequest() {
    Chat chat = chat(true);
    answers.add(answer("a"));
    chat.line("x");
    String notes = notes();
    assertTrue(notes.startsWith("cached 30 tokens | read 12 tokens"), notes);
    assertEquals(1, notes.lines().count());
  }
}
