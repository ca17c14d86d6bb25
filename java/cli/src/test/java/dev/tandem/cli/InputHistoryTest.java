package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What was typed in chats before. */
class InputHistoryTest {

  @TempDir Path folder;

  private InputHistory history() {
    return new InputHistory(Optional.of(state()));
  }

  private Path state() {
    return folder.resolve("state").resolve("tandem");
  }

  private Path file() {
    return state().resolve("chat-history");
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }

  @Test
  void isThereInTheNextChat() {
    List<String> typed = List.of("Hi", "two\nlines \\n \\", "\u00e9\r\uD83E\uDD9C", "/stats");
    InputHistory first = history();
    assertEquals(List.of(), first.entries());
    typed.forEach(first::add);
    assertEquals(typed, first.entries());
    assertEquals(typed, history().entries());
    history().add("more");
    assertEquals("more", history().entries().getLast());
    assertEquals(5, history().entries().size());
  }

  @Test
  void isForItsOwnerAlone() throws IOException {
    history().add("a secret");
    assertEquals("rw-------", permissions(file()));
    assertEquals("rwx------", permissions(state()));
    assertEquals("rwx------", permissions(state().getParent()));
  }

  @Test
  void isBounded() throws IOException {
    InputHistory history = history();
    IntStream.range(0, InputHistory.MOST_ENTRIES + 5).forEach(i -> history.add("entry " + i));
    InputHistory next = history();
    assertEquals(InputHistory.MOST_ENTRIES, next.entries().size());
    assertEquals("entry 5", next.entries().getFirst());
    assertEquals(InputHistory.MOST_ENTRIES, Files.readAllLines(file()).size());
    assertEquals("rw-------", permissions(file()));
    try (var files = Files.list(state())) {
      assertEquals(List.of(file()), files.toList());
    }
  }

  @Test
  void blankLongAndRepeatedLinesAreLeftOut() {
    InputHistory history = history();
    history.add(" ");
    history.add("x".repeat(InputHistory.MOST_CHARACTERS + 1));
    history.add("a");
    history.add("a");
    history.add("b");
    history.add("a");
    assertEquals(List.of("a", "b", "a"), history().entries());
  }

  @Test
  void anyFileIsReadAsFarAsItGoes() throws IOException {
    Files.createDirectories(state());
    Files.write(file(), new byte[] {'a', (byte) 0xFF, '\n', 'b', '\\'});
    assertEquals(List.of("a\uFFFD", "b\\"), history().entries());
  }

  @Test
  void isDoneWithoutWhereItCannotBe() throws IOException {
    Files.createDirectories(file()); // a folder in its place
    InputHistory history = history();
    history.add("a");
    assertEquals(List.of("a"), history.entries());
    InputHistory none = new InputHistory(Optional.empty());
    none.add("a");
    assertEquals(List.of("a"), none.entries());
  }

  @Test
  void placeFollowsTheEnvironment() {
    assertEquals(
        Optional.of(Path.of("/s/tandem")),
        UserFolders.state(Map.of("XDG_STATE_HOME", "/s", "HOME", "/h")));
    Optional<Path> usual = Optional.of(Path.of("/h/.local/state/tandem"));
    assertEquals(usual, UserFolders.state(Map.of("HOME", "/h")));
    assertEquals(usual, UserFolders.state(Map.of("XDG_STATE_HOME", "", "HOME", "/h")));
    assertEquals(usual, UserFolders.state(Map.of("XDG_STATE_HOME", "s", "HOME", "/h")));
    assertEquals(Optional.empty(), UserFolders.state(Map.of()));
    assertFalse(UserFolders.home(Map.of("HOME", "relative")).isPresent());
  }
}
