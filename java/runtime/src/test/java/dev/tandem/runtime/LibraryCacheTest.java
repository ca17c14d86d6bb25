package dev.tandem.runtime;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LibraryCacheTest {
  private static final byte[] CONTENT = "the library".getBytes(StandardCharsets.UTF_8);
  private static final byte[] EVIL = "the planted".getBytes(StandardCharsets.UTF_8);
  private static final int ANOTHER_USER = 54321;

  @TempDir Path home;

  private Path folder() {
    return home.resolve("cache/tandem");
  }

  private LibraryCache cache() {
    return new LibraryCache(folder());
  }

  @Test
  void isPrivateAndNamesTheContent() throws IOException {
    Path file = cache().store(CONTENT);
    assertArrayEquals(CONTENT, Files.readAllBytes(file));
    assertEquals("rwx------", permissions(folder()));
    assertEquals("rw-------", permissions(file));
    assertTrue(
        file.getFileName().toString().matches("libtandem-[0-9a-f]{64}\\.so"), file.toString());
    assertFalse(cache().store(EVIL).equals(file), "another content has another name");
  }

  @Test
  void keepsTheFileThatIsThere() throws IOException {
    Path file = cache().store(CONTENT);
    Object inode = Files.getAttribute(file, "unix:ino");
    assertEquals(file, cache().store(CONTENT));
    assertEquals(inode, Files.getAttribute(file, "unix:ino"));
  }

  @Test
  void replacesAPlantedFile() throws IOException {
    Path file = cache().store(CONTENT);
    Files.write(file, EVIL);
    assertArrayEquals(CONTENT, Files.readAllBytes(cache().store(CONTENT)));
  }

  @Test
  void replacesATruncatedFile() throws IOException {
    Path file = cache().store(CONTENT);
    Files.write(file, new byte[0]);
    assertArrayEquals(CONTENT, Files.readAllBytes(cache().store(CONTENT)));
  }

  @Test
  void replacesAFileThatOthersCanWrite() throws IOException {
    Path file = cache().store(CONTENT);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rw-rw-rw-"));
    assertEquals("rw-------", permissions(cache().store(CONTENT)));
  }

  @Test
  void replacesALinkAndLeavesItsTarget() throws IOException {
    Path file = cache().store(CONTENT);
    Path target = Files.write(home.resolve("target"), CONTENT);
    Files.delete(file);
    Files.createSymbolicLink(file, target);
    assertTrue(Files.isRegularFile(cache().store(CONTENT), LinkOption.NOFOLLOW_LINKS));
    Files.delete(file);
    Files.write(target, EVIL);
    Files.createSymbolicLink(file, target);
    assertArrayEquals(CONTENT, Files.readAllBytes(cache().store(CONTENT)));
    assertArrayEquals(EVIL, Files.readAllBytes(target));
  }

  @Test
  void refusesAFolderThatIsALink() throws IOException {
    Path elsewhere = Files.createDirectories(home.resolve("elsewhere"));
    Files.createDirectories(folder().getParent());
    Files.createSymbolicLink(folder(), elsewhere);
    assertRefused("is not a folder");
    assertTrue(Files.list(elsewhere).toList().isEmpty());
  }

  @Test
  void refusesAFolderThatOthersCanWrite() throws IOException {
    Files.createDirectories(folder());
    for (String permissions : List.of("rwxrwx---", "rwxr-xrwx", "rwxrwxrwx")) {
      Files.setPosixFilePermissions(folder(), PosixFilePermissions.fromString(permissions));
      assertRefused("writable by nobody else");
    }
    Files.setPosixFilePermissions(folder(), PosixFilePermissions.fromString("rwxr-xr-x"));
    cache().store(CONTENT);
  }

  @Test
  void refusesAFolderThatOthersCanRename() throws IOException {
    Files.createDirectories(folder());
    Files.setPosixFilePermissions(
        folder().getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
    assertRefused("which anybody may change");
    Files.setAttribute(folder().getParent(), "unix:mode", 01777);
    cache().store(CONTENT);
  }

  @Test
  void believesNothingThatBelongsToAnother() throws IOException {
    assumeTrue(isRoot(), "needs root, to give files away");
    Path file = cache().store(CONTENT);
    Files.setAttribute(file, "unix:uid", ANOTHER_USER);
    assertEquals(0, Files.getAttribute(cache().store(CONTENT), "unix:uid"));
    Files.setAttribute(folder(), "unix:uid", ANOTHER_USER);
    assertRefused("must belong to the user");
  }

  @Test
  void saysWhichFolderCannotBeMade() throws IOException {
    Path file = Files.createFile(home.resolve("file"));
    LibraryCache impossible = new LibraryCache(file.resolve("cache/tandem"));
    IOException e = assertThrows(IOException.class, () -> impossible.store(CONTENT));
    assertTrue(e.toString().contains(file.toString()), e.toString());
  }

  @Test
  void makesNothingInTheWorkingFolderForAUserWithoutHome() {
    // Java's user.home is "?" for a user number that is in no list, as in many containers.
    LibraryCache homeless = new LibraryCache(LibraryCache.folder(Map.of(), "?"));
    IOException e = assertThrows(IOException.class, () -> homeless.store(CONTENT));
    assertTrue(e.getMessage().contains("no home folder"), e.getMessage());
    assertFalse(Files.exists(Path.of("?")));
  }

  @Test
  void failsOnAReadOnlyHome() throws IOException {
    // /proc takes no folder from anybody; permissions alone would not stop root.
    LibraryCache readOnly = new LibraryCache(Path.of("/proc/tandem"));
    assertThrows(IOException.class, () -> readOnly.store(CONTENT));
    if (!isRoot()) {
      Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("r-xr-xr-x"));
      assertThrows(IOException.class, () -> cache().store(CONTENT));
      Files.setPosixFilePermissions(home, PosixFilePermissions.fromString("rwx------"));
    }
  }

  @Test
  void temporaryFileGoesWithItsFolder() throws IOException {
    Path file;
    try (LibraryCache.Temporary temporary = LibraryCache.storeTemporarily(CONTENT)) {
      file = temporary.file();
      assertArrayEquals(CONTENT, Files.readAllBytes(file));
      assertEquals("rwx------", permissions(file.getParent()));
    }
    assertFalse(Files.exists(file.getParent()));
  }

  @Test
  void liesWhereXdgSays() {
    assertEquals(Path.of("/home/a/.cache/tandem"), LibraryCache.folder(Map.of(), "/home/a"));
    assertEquals(
        Path.of("/home/b/.cache/tandem"),
        LibraryCache.folder(Map.of("HOME", "/home/b"), "/home/a"));
    assertEquals(
        Path.of("/x/tandem"), LibraryCache.folder(Map.of("XDG_CACHE_HOME", "/x"), "/home/a"));
    for (String ignored : List.of("", "relative/x")) {
      assertEquals(
          Path.of("/home/a/.cache/tandem"),
          LibraryCache.folder(Map.of("XDG_CACHE_HOME", ignored), "/home/a"));
    }
  }

  @Test
  void processesThatStartAtOnceAllLoadIt() throws Exception {
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      processes.add(
          new ProcessBuilder(
                  Path.of(System.getProperty("java.home"), "bin/java").toString(),
                  "--enable-native-access=ALL-UNNAMED",
                  "-cp",
                  System.getProperty("java.class.path"),
                  Unpack.class.getName(),
                  folder().toString())
              .redirectErrorStream(true)
              .start());
    }
    for (Process process : processes) {
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue(), output);
    }
    try (Stream<Path> files = Files.list(folder())) {
      assertEquals(1, files.count());
    }
  }

  /** Unpacks and loads the real library, as the loader does when it runs from the jar. */
  static final class Unpack {
    public static void main(String[] arguments) throws IOException {
      String resource = "native/" + Platform.current().folder() + "/libtandem.so";
      try (InputStream in = Loader.class.getResourceAsStream(resource)) {
        System.load(new LibraryCache(Path.of(arguments[0])).store(in.readAllBytes()).toString());
      }
    }
  }

  private void assertRefused(String reason) {
    FileSystemException e = assertThrows(FileSystemException.class, () -> cache().store(CONTENT));
    assertTrue(
        e.getMessage().contains(folder().toString()) && e.getMessage().contains(reason),
        e.getMessage());
  }

  private static String permissions(Path path) throws IOException {
    return PosixFilePermissions.toString(
        Files.getPosixFilePermissions(path, LinkOption.NOFOLLOW_LINKS));
  }

  private static boolean isRoot() throws IOException {
    return Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0);
  }
}
