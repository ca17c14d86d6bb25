package dev.tandem.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * Where a command reads and writes. Standard output carries results only: the model's text, a
 * table, a JSON document. All else goes to standard error. Text is UTF-8 whatever the locale.
 */
final class Streams {

  private static final String CLEAR_LINE = "\r\u001b[K";

  private final InputStream in;
  private final OutputStream out;
  private final PrintStream err;
  private final Set<Kind> terminals;
  private boolean barStands; // at the end of standard error; guarded by err

  /** The three standard streams, in the order of their descriptors. */
  enum Kind {
    IN,
    OUT,
    ERR
  }

  /** Standard output was closed by who read it: the command ends quietly. */
  static final class ClosedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    ClosedException(IOException cause) {
      super(cause);
    }
  }

  /**
   * @param out unbuffered
   * @param err for people
   * @param terminals which of the three are terminals: only there are bars, colours and hints
   */
  Streams(InputStream in, OutputStream out, PrintStream err, Set<Kind> terminals) {
    this.in = in;
    this.out = out;
    this.err = err;
    this.terminals = Set.copyOf(terminals);
  }

  InputStream in() {
    return in;
  }

  OutputStream out() {
    return out;
  }

  PrintStream err() {
    return err;
  }

  /** Those of this process. */
  static Streams ofProcess() {
    return new Streams(
        new FileInputStream(FileDescriptor.in),
        new FileOutputStream(FileDescriptor.out),
        new PrintStream(new FileOutputStream(FileDescriptor.err), true, StandardCharsets.UTF_8),
        terminalsOfProcess());
  }

  boolean isTerminal(Kind kind) {
    return terminals.contains(kind);
  }

  /** Whether colours are welcome there: on a terminal that has some, unless the user wants none. */
  boolean isColoured(Kind kind) {
    return isTerminal(kind)
        && Optional.ofNullable(System.getenv("NO_COLOR")).orElse("").isEmpty()
        && !"dumb".equals(System.getenv("TERM"));
  }

  /** Writes text to standard output. */
  void print(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    write(bytes, 0, bytes.length);
  }

  void println(String line) {
    print(line + "\n");
  }

  /**
   * Writes bytes to standard output.
   *
   * @throws ClosedException if nobody reads it any more
   * @throws Failure if it cannot be written: the disk is full
   */
  void write(byte[] bytes, int offset, int length) {
    try {
      out.write(bytes, offset, length);
    } catch (IOException e) {
      String reason = String.valueOf(e.getMessage());
      // The JDK has no class for this; the text is strerror's in the locale that bin/tandem sets.
      if (reason.contains("Broken pipe") || reason.contains("Connection reset")) {
        throw new ClosedException(e);
      }
      throw new Failure("standard output cannot be written: " + reason);
    }
  }

  /** Writes a line to standard error, in place of a bar that stands there. */
  void note(String line) {
    synchronized (err) {
      clearBar();
      err.println(line);
    }
  }

  /** Puts a bar on the last line of standard error, in place of one that stands there. */
  void showBar(String bar) {
    synchronized (err) {
      err.print("\r" + bar);
      barStands = true;
    }
  }

  /** Takes away the bar that stands there, if any. */
  void clearBar() {
    synchronized (err) {
      if (barStands) {
        err.print(CLEAR_LINE);
        barStands = false;
      }
    }
  }

  private static Set<Kind> terminalsOfProcess() {
    Set<Kind> terminals = EnumSet.noneOf(Kind.class);
    for (Kind kind : Kind.values()) {
      if (isTerminal(kind.ordinal())) {
        terminals.add(kind);
      }
    }
    return terminals;
  }

  // The JDK tells only whether standard input and output are terminals, both at once.
  private static boolean isTerminal(int descriptor) {
    try {
      Path target = Files.readSymbolicLink(Path.of("/proc/self/fd/" + descriptor));
      return target.startsWith("/dev/pts") || target.toString().startsWith("/dev/tty");
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }
}
