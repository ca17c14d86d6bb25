package dev.tandem.cli;

import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** Where a user's files are, by what the environment says (XDG Base Directory Specification). */
final class UserFolders {

  private UserFolders() {}

  /** The user's home, if one is named. */
  static Optional<Path> home(Map<String, String> environment) {
    return absolute(environment.get("HOME"));
  }

  /** Where our state is kept from one start to the next. */
  static Optional<Path> state(Map<String, String> environment) {
    return absolute(environment.get("XDG_STATE_HOME"))
        .or(() -> home(environment).map(home -> home.resolve(".local").resolve("state")))
        .map(folder -> folder.resolve("tandem"));
  }

  /** By the specification, other paths count as none. */
  private static Optional<Path> absolute(String value) {
    return Optional.ofNullable(value).map(Path::of).filter(Path::isAbsolute);
  }
}
