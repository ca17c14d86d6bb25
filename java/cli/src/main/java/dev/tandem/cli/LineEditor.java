package dev.tandem.cli;

import java.io.IOError;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.jline.keymap.KeyMap;
import org.jline.reader.Binding;
import org.jline.reader.Buffer;
import org.jline.reader.CompletingParsedLine;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReader;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.Reference;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.Terminal;
import org.jline.terminal.TerminalBuilder;
import org.jline.utils.InfoCmp;

/** Lines that people type, with editing and a history. */
final class LineEditor implements ChatInput {

  /** Asks for a line. */
  static final String PROMPT = "> ";

  private static final String ENTER = "enter";
  private static final String BOLD = "\u001b[1m";
  private static final String PLAIN = "\u001b[0m";

  private final Terminal terminal;
  private final LineReader reader;
  private final InputHistory history;
  private final String prompt;

  private LineEditor(Terminal terminal, InputHistory history, boolean coloured) {
    this.terminal = terminal;
    this.history = history;
    prompt = coloured ? BOLD + PROMPT + PLAIN : PROMPT;
    reader =
        LineReaderBuilder.builder()
            .terminal(terminal)
            .parser((line, cursor, context) -> new Line(line, cursor))
            .variable(LineReader.HISTORY_SIZE, InputHistory.MOST_ENTRIES)
            .variable(LineReader.SECONDARY_PROMPT_PATTERN, " ".repeat(PROMPT.length()))
            .option(LineReader.Option.DISABLE_EVENT_EXPANSION, true) // ! is a character as others
            .option(LineReader.Option.DISABLE_HIGHLIGHTER, true)
            .build();
    // Between two lines, too: then it is known as soon as the next one is to be typed.
    Thread typing = Thread.currentThread();
    terminal.handle(Terminal.Signal.INT, signal -> typing.interrupt());
    history.entries().forEach(reader.getHistory()::add);
    reader.getWidgets().put(ENTER, this::enter);
    KeyMap<Binding> keys = reader.getKeyMaps().get(LineReader.MAIN);
    keys.bind(new Reference(ENTER), "\r", "\n");
  }

  /**
   * An editor on the terminal of this process; empty if that cannot do what it takes.
   *
   * @param type the terminal's, as TERM names it
   * @param coloured whether it may be coloured
   */
  static Optional<LineEditor> open(String type, InputHistory history, boolean coloured) {
    if (type.isEmpty() || type.equals("dumb")) {
      return Optional.empty();
    }
    try {
      Terminal terminal =
          TerminalBuilder.builder()
              .provider(TerminalBuilder.PROP_PROVIDER_EXEC)
              .system(true)
              .systemOutput(TerminalBuilder.SystemOutput.SysErrOrSysOut)
              .dumb(false)
              .type(known(type))
              .encoding(StandardCharsets.UTF_8)
              .build();
      return Optional.of(new LineEditor(terminal, history, coloured));
    } catch (IOException | IllegalStateException | IOError e) {
      return Optional.empty(); // without stty, for instance
    }
  }

  /** The type, or if nothing is known of it, one that most terminals understand. */
  private static String known(String type) {
    try {
      InfoCmp.getInfoCmp(type);
      return type;
    } catch (IOException e) {
      return "xterm";
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "xterm";
    }
  }

  @Override
  public Optional<String> next() {
    for (; ; ) {
      try {
        String line = reader.readLine(prompt);
        history.add(line);
        if (!Thread.interrupted()) { // else it was pressed right behind Enter
          return Optional.of(line);
        }
      } catch (UserInterruptException e) {
        if (e.getPartialLine().isEmpty()) {
          throw new InterruptedByUser();
        }
        // What was typed is given up, and something else may be typed.
      } catch (EndOfFileException e) {
        return Optional.empty();
      } catch (IOError e) {
        if (Thread.interrupted()) { // Ctrl-C reached a tool that sets the terminal
          throw new InterruptedByUser();
        }
        throw new Failure("the terminal cannot be used: " + e.getCause().getMessage());
      }
    }
  }

  @Override
  public void close() {
    try {
      terminal.close();
    } catch (IOException | IOError e) {
      // It is gone: nobody looks at it any more.
    }
  }

  /** Enter: takes the line, or behind a backslash begins another one of the same message. */
  private boolean enter() {
    Buffer buffer = reader.getBuffer();
    if (buffer.cursor() == buffer.length() && ChatInput.isContinued(buffer.toString())) {
      buffer.backspace();
      buffer.write('\n');
    } else {
      reader.callWidget(LineReader.ACCEPT_LINE);
    }
    return true;
  }

  /** What was typed, as it is: one word, in which nothing is quoted. */
  private record Line(String line, int cursor) implements CompletingParsedLine {
    @Override
    public String word() {
      return line;
    }

    @Override
    public int wordCursor() {
      return cursor;
    }

    @Override
    public int wordIndex() {
      return 0;
    }

    @Override
    public List<String> words() {
      return List.of(line);
    }

    @Override
    public CharSequence escape(CharSequence candidate, boolean complete) {
      return candidate;
    }

    @Override
    public int rawWordCursor() {
      return cursor;
    }

    @Override
    public int rawWordLength() {
      return line.length();
    }
  }
}
