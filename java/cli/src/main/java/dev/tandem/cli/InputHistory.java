package dev.tandem.cli;

import java.io.IOException;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What was typed in chats before: in a file of the user's own, which nobody else can read. A
 * convenience: what cannot be read or written is left out without a word.
 */
final class InputHistory {

  /** Older entries are forgotten. */
  static final int MOST_ENTRIES = 1000;

  /** Longer ones are not kept. */
  static final int MOST_CHARACTERS = 10_000;

  private static final FileAttribute<?> OWNERS_FOLDER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final FileAttribute<?> OWNERS_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final Set<StandardOpenOption> TO_ITS_END =
      Set.of(StandardOpenOption.CREATE, StandardOpenOption.APPEND);

  private final Optional<Path> file;
  private final List<String> entries = new ArrayList<>();

  /**
   * Reads a history.
   *
   * @param folder where its file is, or will be made with the first entry; empty to forget all
   */
  InputHistory(Optional<Path> folder) {
    file = folder.map(path -> path.resolve("chat-history"));
    file.ifPresent(this::load);
  }

  /** The oldest first. */
  List<String> entries() {
    return List.copyOf(entries);
  }

  /** Adds what was typed, unless it is blank, very long, or the same again. */
  void add(String entry) {
    if (entry.isBlank()
        || entry.length() > MOST_CHARACTERS
        || !entries.isEmpty() && entries.getLast().equals(entry)) {
      return;
    }
    entries.add(entry);
    file.ifPresent(path -> append(path, escaped(entry) + "\n"));
  }

  private void load(Path path) {
    try {
      List<String> lines =
          new String(Files.readAllBytes(path), StandardCharsets.UTF_8).lines().toList();
      int dropped = Math.max(0, lines.size() - MOST_ENTRIES);
      lines.stream().skip(dropped).map(InputHistory::unescaped).forEach(entries::add);
      if (dropped > 0) {
        rewrite(path, lines.subList(dropped, lines.size()));
      }
    } catch (IOException e) {
      // Then there is none.
    }
  }

  private static void append(Path path, String line) {
    try {
      Files.createDirectories(path.getParent(), OWNERS_FOLDER);
      try (SeekableByteChannel out = Files.newByteChannel(path, TO_ITS_END, OWNERS_FILE)) {
        out.write(StandardCharsets.UTF_8.encode(line));
      }
    } catch (IOException e) {
      // It is remembered in this chat at least.
    }
  }

  private static void rewrite(Path file, List<String> lines) throws IOException {
    Path part = Files.createTempFile(file.getParent(), ".chat-history", "", OWNERS_FILE);
    try {
      Files.writeString(part, lines.stream().collect(Collectors.joining("\n", "", "\n")));
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  /** On one line. */
  private static String escaped(String entry) {
    return entry.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r");
  }

  private static String unescaped(String line) {
    StringBuilder entry = new StringBuilder();
    for (int i = 0; i < line.length(); i++) {
      char c = line.charAt(i);
      if (c == '\\' && i + 1 < line.length()) {
        char escaped = line.charAt(++i);
        c = escaped == 'n' ? '\n' : escaped == 'r' ? '\r' : escaped;
      }
      entry.append(c);
    }
    return entry.toString();
  }
}
