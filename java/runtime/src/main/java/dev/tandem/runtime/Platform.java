package dev.tandem.runtime;

import java.util.Locale;
import java.util.Map;

/**
 * A kind of machine that the native library is built for.
 *
 * @param os the operating system, as the library's folder in the jar names it
 * @param processor its architecture, likewise
 */
record Platform(String os, String processor) {

  /** By the names that Java uses for them. */
  private static final Map<String, String> PROCESSORS =
      Map.of("amd64", "x86_64", "x86_64", "x86_64", "aarch64", "aarch64");

  /**
   * This machine.
   *
   * @throws UnsatisfiedLinkError if it is of no supported kind
   */
  static Platform current() {
    return of(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
  }

  /** The platform with Java's names {@code os.name} and {@code os.arch}. */
  static Platform of(String osName, String osArch) {
    String processor = PROCESSORS.get(osArch.toLowerCase(Locale.ROOT));
    if (!osName.equalsIgnoreCase("Linux") || processor == null) {
      throw new UnsatisfiedLinkError(
          "Tandem does not run on "
              + osName
              + " ("
              + osArch
              + "): supported are Linux on x86-64 and on aarch64, with a 64-bit JVM of the same"
              + " architecture");
    }
    return new Platform("linux", processor);
  }

  /** The name of the library's folder. */
  String folder() {
    return os + "-" + processor;
  }
}
