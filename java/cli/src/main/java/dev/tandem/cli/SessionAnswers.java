package dev.tandem.cli;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationListener;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.function.IntFunction;

/** Answers by a session: what is in its cache is not read again. */
final class SessionAnswers implements Chat.Answerer {

  private final Session session;
  private final IntFunction<GenerationOptions> options;
  private final Streams streams;
  private final boolean onTerminal;
  private final boolean quiet;
  private int answers;

  /**
   * Answers to standard output.
   *
   * @param options of each answer, counted from 0
   * @param onTerminal whether Ctrl-C stops an answer; else it ends the process
   * @param quiet whether no bar is shown
   */
  SessionAnswers(
      Session session,
      IntFunction<GenerationOptions> options,
      Streams streams,
      boolean onTerminal,
      boolean quiet) {
    this.session = session;
    this.options = options;
    this.streams = streams;
    this.onTerminal = onTerminal;
    this.quiet = quiet;
  }

  @Override
  public ChatAnswer answer(int[] prompt) {
    GenerationOptions how = options.apply(answers++);
    Interrupt end = new Interrupt(session::cancel);
    CtrlC ctrlC = new CtrlC(onTerminal, session::cancel);
    Output output = new Output(ctrlC);
    Generation generation;
    boolean early;
    // Closed when all is said: then the process may end.
    try (end;
        ctrlC;
        output) {
      generation = output.collect(prompt, how);
      early = Thread.interrupted(); // pressed before the answer began, which had no text then
    }
    return new ChatAnswer(
        output.text.toString(StandardCharsets.UTF_8),
        generation,
        generation.reason() == Generation.Reason.LENGTH
            && generation.generatedTokens() < how.maxTokens(),
        end.happened() || ctrlC.presses() + (early ? 1 : 0) > 1);
  }

  /** Prints and collects what is generated, and shows how far the prompt is read. */
  private final class Output implements GenerationListener, AutoCloseable {
    private final ProgressBar reading = new ProgressBar(streams, "reading", !quiet);
    private final ByteArrayOutputStream text = new ByteArrayOutputStream();
    private final CtrlC ctrlC;

    Output(CtrlC ctrlC) {
      this.ctrlC = ctrlC;
    }

    Generation collect(int[] prompt, GenerationOptions how) {
      Generation generation = session.generateAfter(prompt, how, this);
      reading.hide();
      streams.print("\n"); // an answer is a line, or more
      return generation;
    }

    @Override
    public void prompt(int read, int total) {
      if (ctrlC.presses() > 0) {
        session.cancel(); // it was pressed before there was anything to cancel
      }
      if (read == total) {
        reading.hide(); // it stood on the line where the answer begins
      } else {
        reading.update(read, total);
      }
    }

    @Override
    public void text(byte[] utf8, int offset, int length) {
      text.write(utf8, offset, length);
      streams.write(utf8, offset, length);
    }

    @Override
    public void close() {
      reading.close();
    }
  }
}
