package dev.tandem.runtime;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;

/**
 * The folder where the native library is unpacked to be loaded, and kept for the next start.
 *
 * <p>Whoever can write a file that we load runs code as us. So nothing in the folder is believed:
 * the folder and the file must be real (no symbolic links), ours, and writable by nobody else, and
 * the file's bytes must be the ones in the jar; a file that is not so is replaced, a folder that is
 * not so is not used. A new file is written under another name and renamed, so that two processes
 * that start at once both see a whole one.
 *
 * @param folder the folder; made when needed, readable by the user alone
 */
record LibraryCache(Path folder) {

  private static final FileAttribute<?> PRIVATE_FOLDER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  /**
   * The current user's: {@code $XDG_CACHE_HOME/tandem}, or {@code ~/.cache/tandem}. The launcher
   * uses the same.
   */
  static LibraryCache ofUser() {
    return new LibraryCache(folder(System.getenv(), System.getProperty("user.home", "/")));
  }

  static Path folder(Map<String, String> environment, String home) {
    // A relative XDG_CACHE_HOME is to be ignored, says the XDG base directory specification.
    String cache = environment.getOrDefault("XDG_CACHE_HOME", "");
    if (cache.startsWith("/")) {
      return Path.of(cache, "tandem");
    }
    return Path.of(environment.getOrDefault("HOME", home), ".cache", "tandem");
  }

  /**
   * The file in this folder with this content, written if it is not there.
   *
   * @throws IOException if the folder cannot be written or must not be trusted; says which and why
   */
  Path store(byte[] content) throws IOException {
    if (!folder.isAbsolute()) {
      throw new FileSystemException(
          folder.toString(), null, "is no absolute path: the user has no home folder");
    }
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      Files.createDirectories(folder.getParent());
      createPrivately(folder);
    }
    requireTrusted();
    Path file = folder.resolve("libtandem-" + sha256(content) + ".so");
    if (!holds(file, content)) {
      write(file, content);
    }
    return file;
  }

  /** A file with this content in a fresh folder of its own. */
  static Temporary storeTemporarily(byte[] content) throws IOException {
    Path folder = Files.createTempDirectory("tandem-", PRIVATE_FOLDER);
    Temporary temporary = new Temporary(folder.resolve("libtandem.so"));
    try {
      Files.write(temporary.file(), content, StandardOpenOption.CREATE_NEW);
      return temporary;
    } catch (IOException e) {
      temporary.close();
      throw e;
    }
  }

  /**
   * A file that goes away with its folder on closing; a library that was loaded from it stays.
   *
   * @param file the file
   */
  record Temporary(Path file) implements AutoCloseable {
    @Override
    public void close() throws IOException {
      Files.deleteIfExists(file);
      Files.delete(file.getParent());
    }
  }

  private static void createPrivately(Path folder) throws IOException {
    try {
      Files.createDirectory(folder, PRIVATE_FOLDER);
    } catch (FileAlreadyExistsException e) {
      // By another process, just now, or something else has the name: the caller looks at it either
      // way.
    }
  }

  /** Whether the file is ours and has this content. */
  private static boolean holds(Path file, byte[] content) throws IOException {
    try {
      FileStatus status = FileStatus.of(file);
      return status.isRegularFile()
          && status.isOurs()
          && status.size() == content.length
          && Arrays.equals(Files.readAllBytes(file), content);
    } catch (NoSuchFileException e) {
      return false;
    }
  }

  /** Puts a whole, private file in place of whatever has its name. */
  private void write(Path file, byte[] content) throws IOException {
    // Made by createTempFile for the user alone.
    Path part = Files.createTempFile(folder, "libtandem-", ".part");
    try {
      Files.write(part, content);
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  private void requireTrusted() throws IOException {
    FileStatus status = FileStatus.of(folder);
    if (!status.isFolder()) {
      throw new FileSystemException(
          folder.toString(), null, "is not a folder (a link is not followed)");
    }
    if (!status.isOurs()) {
      throw new FileSystemException(
          folder.toString(),
          null,
          "must belong to the user and be writable by nobody else (chmod go-w)");
    }
    // Who can rename a folder above can put another in place of ours after this check.
    for (Path above = folder.toRealPath().getParent(); above != null; above = above.getParent()) {
      if (FileStatus.of(above).letsAnyoneRename()) {
        throw new FileSystemException(
            folder.toString(), null, "lies in " + above + ", which anybody may change (chmod o-w)");
      }
    }
  }

  private static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
