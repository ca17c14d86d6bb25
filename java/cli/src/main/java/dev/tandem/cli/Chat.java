package dev.tandem.cli;

import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatTemplateException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** A chat, line by line: messages get answers, and lines that begin with a slash are commands. */
final class Chat {

  private static final String HELP =
      """
      /help           show this
      /reset          forget the conversation; the system message stays
      /system [TEXT]  what the model should be like; without TEXT, nothing
      /save FILE      write the conversation to a file, as a JSON list of messages
      /load FILE      go on with the conversation of a file
      /stats          tokens, speeds, and how full the context is
      /exit           leave
      A line that ends in \\ goes on in the next one.
      Ctrl-C stops an answer; without one, Ctrl-C and Ctrl-D leave.\
      """;

  private static final String COMMANDS = "/help, /reset, /system, /save, /load, /stats, /exit";

  /** How it goes on after a line. */
  enum Next {
    GO_ON,
    LEAVE,
    /** Ctrl-C said so. */
    INTERRUPTED
  }

  /** Generates answers, and shows them as they come. */
  interface Answerer {
    ChatAnswer answer(int[] prompt);
  }

  private final Conversation conversation;
  private final Answerer answerer;
  private final ChatReport report;
  private final Streams streams;
  private final boolean statsAlways;
  private boolean failed;

  /**
   * A chat.
   *
   * @param statsAlways whether numbers follow every answer
   */
  Chat(
      Conversation conversation,
      Answerer answerer,
      ChatReport report,
      Streams streams,
      boolean statsAlways) {
    this.conversation = conversation;
    this.answerer = answerer;
    this.report = report;
    this.streams = streams;
    this.statsAlways = statsAlways;
  }

  /** Whether something could not be done; it was told then. */
  boolean hasFailed() {
    return failed;
  }

  /** Does what a line asks for. */
  Next line(String line) {
    if (line.isBlank()) {
      return Next.GO_ON;
    }
    if (!line.startsWith("/")) {
      return message(line);
    }
    try {
      return command(line);
    } catch (Failure e) {
      complain(e.getMessage());
      return Next.GO_ON;
    }
  }

  private Next message(String text) {
    Conversation.Question question;
    try {
      question = conversation.ask(text);
    } catch (Failure | ChatTemplateException e) {
      complain(e.getMessage());
      return Next.GO_ON;
    }
    return answer(question);
  }

  private Next answer(Conversation.Question question) {
    if (question.dropped() > 0) {
      streams.note(
          "tandem: the context is full: dropped the oldest "
              + (question.dropped() == 1 ? "turn" : question.dropped() + " turns"));
    }
    ChatAnswer answer = answerer.answer(question.prompt());
    if (answer.isNothing()) {
      conversation.takeBack();
    } else {
      conversation.answer(answer.text());
    }
    report.add(answer.generation());
    if (answer.filledContext()) {
      streams.note(
          "tandem: the context is full: the answer is cut off; a larger context (-c) holds more");
    }
    if (statsAlways) {
      streams.note(report.last());
    }
    return answer.leaves() ? Next.INTERRUPTED : Next.GO_ON;
  }

  private Next command(String line) {
    String[] words = line.strip().split("\\s+", 2);
    String rest = words.length > 1 ? words[1] : "";
    switch (words[0]) {
      case "/help" -> streams.note(HELP);
      case "/reset" -> {
        conversation.reset();
        streams.note("The conversation is forgotten.");
      }
      case "/system" -> {
        conversation.system(rest);
        streams.note(rest.isEmpty() ? "No system message." : "The system message is set.");
      }
      case "/save" -> save(file(words[0], rest));
      case "/load" -> load(file(words[0], rest));
      case "/stats" -> streams.note(report.all(conversation.messages().size()));
      case "/exit" -> {
        return Next.LEAVE;
      }
      default ->
          complain(
              "there is no command "
                  + Printable.line(words[0], 40)
                  + "; commands: "
                  + COMMANDS
                  + "; a message that begins with / needs a space before it");
    }
    return Next.GO_ON;
  }

  private void save(Path file) {
    if (conversation.messages().isEmpty()) {
      throw new Failure("there is nothing to save: nothing was said");
    }
    ConversationFile.write(file, conversation.messages());
    streams.note("Saved " + messages() + " to " + file + ".");
  }

  private void load(Path file) {
    conversation.load(ConversationFile.read(new TextInput(streams), Optional.of(file)));
    streams.note("Loaded " + messages() + " from " + file + ".");
  }

  private String messages() {
    List<ChatMessage> messages = conversation.messages();
    return Quantities.plural(messages.size(), "message");
  }

  /** No shell has seen the name: what it would do with ~ is done here. */
  private static Path file(String command, String name) {
    if (name.isEmpty()) {
      throw new Failure(command + " needs the name of a file");
    }
    try {
      return UserFolders.home(System.getenv())
          .filter(home -> name.startsWith("~/"))
          .map(home -> home.resolve(name.substring(2)))
          .orElseGet(() -> Path.of(name));
    } catch (InvalidPathException e) {
      throw new Failure("'" + Printable.line(name, 40) + "' is no name of a file");
    }
  }

  private void complain(String message) {
    failed = true;
    streams.note("tandem: " + message);
  }
}
