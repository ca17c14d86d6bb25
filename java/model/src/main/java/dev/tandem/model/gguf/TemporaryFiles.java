package dev.tandem.model.gguf;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Files that get their names only when all of them are whole. Until then each has a temporary name
 * in the same folder. Those that do not get so far are deleted: on closing, and also when the
 * process is told to end meanwhile, by Ctrl-C for instance.
 */
final class TemporaryFiles implements AutoCloseable {

  private final Map<Path, Path> names = new LinkedHashMap<>();
  private final Thread atExit = new Thread(this::delete);

  TemporaryFiles() {
    try {
      Runtime.getRuntime().addShutdownHook(atExit);
    } catch (IllegalStateException e) {
      // The process ends already, and with it what is about to be written.
    }
  }

  /** Creates the file that will have this name. */
  synchronized FileChannel create(Path name) throws IOException {
    Path temporary = name.resolveSibling("." + name.getFileName() + "." + unique() + ".tmp");
    names.put(temporary, name);
    return FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
  }

  /** Gives all files their names; older files of these names are replaced. */
  synchronized void giveNames() throws IOException {
    for (Map.Entry<Path, Path> file : names.entrySet()) {
      Files.move(
          file.getKey(),
          file.getValue(),
          StandardCopyOption.ATOMIC_MOVE,
          StandardCopyOption.REPLACE_EXISTING);
    }
    names.clear();
  }

  @Override
  public void close() {
    delete();
    try {
      Runtime.getRuntime().removeShutdownHook(atExit);
    } catch (IllegalStateException e) {
      // The process ends; it is done or being done.
    }
  }

  private synchronized void delete() {
    names.keySet().forEach(TemporaryFiles::deleteIfLeft);
  }

  private static void deleteIfLeft(Path temporary) {
    try {
      Files.deleteIfExists(temporary);
    } catch (IOException e) {
      // The write has failed already, and says why; a temporary file stays behind.
    }
  }

  private static String unique() {
    return ProcessHandle.current().pid() + "-" + Long.toHexString(System.nanoTime());
  }
}
