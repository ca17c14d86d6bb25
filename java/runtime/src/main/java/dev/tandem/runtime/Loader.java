package dev.tandem.runtime;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Loads {@code libtandem.so}.
 *
 * <p>The generated {@link Native} calls {@code Loader.load()} in its initialiser. It means
 * JavaCPP's class of that name, imported on demand; a class of the same package comes first, so it
 * gets this one. JavaCPP's own loader looks for libraries in many places, a shared temporary folder
 * among them, and must never run.
 *
 * <p>The places, in order:
 *
 * <ol>
 *   <li>the folder of the jar with this class, which in the distribution is {@code lib/};
 *   <li>the classes folder, when not running from a jar;
 *   <li>the user's cache folder, where the library in the jar for this kind of machine ({@code
 *       tandem-runtime}, classifier {@code linux-x86_64} ...) is unpacked: see {@link
 *       LibraryCache};
 *   <li>where that cannot be written or cannot be trusted, a fresh temporary folder, removed at
 *       once after loading.
 * </ol>
 */
final class Loader {
  private static final String LIBRARY = "libtandem.so";
  private static final String CLASS = "Loader.class";

  private Loader() {}

  /**
   * Loads the library. Only {@link Native}'s initialiser calls this, so it happens once, and nobody
   * can wait for another thread that waits for that initialiser; other code that needs the library
   * loaded calls a function there.
   *
   * @throws UnsatisfiedLinkError if there is none for this machine, or none of the places will do;
   *     an error, since that passes through a class initialiser unchanged
   */
  static void load() {
    Optional<Path> installed = installed();
    if (installed.isPresent()) {
      System.load(installed.get().toString());
    } else {
      loadPacked(Platform.current());
    }
    int version = Native.td_abi_version();
    if (version != Native.TD_ABI_VERSION) {
      throw new UnsatisfiedLinkError(
          LIBRARY
              + " is of version "
              + version
              + ", but these classes need "
              + Native.TD_ABI_VERSION
              + ": "
              + installed.map(path -> "replace " + path).orElse("rebuild the jar"));
    }
  }

  /** The library beside the jar of this class. */
  private static Optional<Path> installed() {
    return Optional.ofNullable(Loader.class.getResource(CLASS))
        .flatMap(Loader::jar)
        .map(jar -> jar.resolveSibling(LIBRARY))
        .filter(Files::isRegularFile);
  }

  /**
   * The jar in which a class of this package lies, by the URL of the class. Its code source will
   * not do: that of a class from an AOT cache names the place where the cache was made, wherever
   * the jar is now.
   *
   * @param url {@code jar:file:/lib/tandem-runtime.jar!/dev/tandem/runtime/Loader.class}
   */
  static Optional<Path> jar(URL url) {
    if (!url.getProtocol().equals("jar")) {
      return Optional.empty();
    }
    String jar = url.getPath();
    int end = jar.lastIndexOf("!/");
    return end < 0 ? Optional.empty() : path(jar.substring(0, end));
  }

  private static void loadPacked(Platform platform) {
    String resource = "dev/tandem/runtime/native/" + platform.folder() + "/" + LIBRARY;
    // By the class loader: on the module path the library's jar is a module of its own.
    URL url = Loader.class.getClassLoader().getResource(resource);
    if (url == null) {
      throw new UnsatisfiedLinkError(
          "The native library for "
              + platform.folder()
              + " is missing: there is no "
              + resource
              + "; add dev.tandem:tandem-runtime with the classifier "
              + platform.folder()
              + " to the class path or the module path");
    }
    Optional<Path> file = path(url.toString());
    if (file.isPresent()) {
      System.load(file.get().toString());
      return;
    }
    byte[] content;
    try (InputStream in = url.openStream()) {
      content = in.readAllBytes();
    } catch (IOException e) {
      throw unsatisfied(url + " cannot be read: " + e, List.of(e));
    }
    loadUnpacked(content, LibraryCache.ofUser());
  }

  /** Loads from the cache, else from a temporary folder. */
  private static void loadUnpacked(byte[] content, LibraryCache cache) {
    List<Throwable> causes = new ArrayList<>();
    try {
      System.load(cache.store(content).toString());
      return;
    } catch (IOException | UnsatisfiedLinkError e) {
      causes.add(e);
    }
    try (LibraryCache.Temporary temporary = LibraryCache.storeTemporarily(content)) {
      System.load(temporary.file().toString());
    } catch (IOException | UnsatisfiedLinkError e) {
      causes.add(e);
      throw unsatisfied(
          "The native library cannot be unpacked and loaded: "
              + String.join("; ", causes.stream().map(Throwable::getMessage).toList())
              + ". Set XDG_CACHE_HOME to a folder of your own, on a file system without the option"
              + " noexec",
          causes);
    }
  }

  private static UnsatisfiedLinkError unsatisfied(
      String message, List<? extends Throwable> causes) {
    UnsatisfiedLinkError error = new UnsatisfiedLinkError(message);
    causes.forEach(error::addSuppressed);
    return error;
  }

  /** The file that a URL names, if it names a plain file. */
  private static Optional<Path> path(String url) {
    if (!url.startsWith("file:")) {
      return Optional.empty();
    }
    try {
      return Optional.of(Path.of(new URI(url)));
    } catch (URISyntaxException | IllegalArgumentException e) {
      return Optional.empty();
    }
  }
}
