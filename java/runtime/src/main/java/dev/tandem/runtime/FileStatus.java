package dev.tandem.runtime;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Map;

/**
 * What a file is and who may change it, read in one call so that the answers belong together.
 *
 * @param mode the type and permission bits of {@code stat(2)}
 * @param owner the user's number
 * @param size in bytes
 */
record FileStatus(int mode, int owner, long size) {
  private static final int TYPE = 0170000;
  private static final int REGULAR = 0100000;
  private static final int FOLDER = 0040000;
  private static final int STICKY = 0001000;
  private static final int GROUP_OR_OTHERS_WRITE = 0022;
  private static final int OTHERS_WRITE = 0002;

  /** Of the file itself, where it is a symbolic link of the link. */
  static FileStatus of(Path path) throws IOException {
    Map<String, Object> found =
        Files.readAttributes(path, "unix:mode,uid,size", LinkOption.NOFOLLOW_LINKS);
    return new FileStatus(
        (int) found.get("mode"), (int) found.get("uid"), (long) found.get("size"));
  }

  boolean isRegularFile() {
    return (mode & TYPE) == REGULAR;
  }

  boolean isFolder() {
    return (mode & TYPE) == FOLDER;
  }

  /** Whether it belongs to this process's user and nobody else can write it. */
  boolean isOurs() throws IOException {
    // Java has no call for the own user; the kernel shows it as the owner of the own process.
    int user = (int) Files.getAttribute(Path.of("/proc/self"), "unix:uid");
    return owner == user && (mode & GROUP_OR_OTHERS_WRITE) == 0;
  }

  /** Whether anybody may rename what lies in this folder, also what belongs to others. */
  boolean letsAnyoneRename() {
    return (mode & OTHERS_WRITE) != 0 && (mode & STICKY) == 0;
  }
}
