package dev.tandem.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** That the library is found and loaded is tested by ci/launcher-test, from outside. */
class LoaderTest {
  private static final String CLASS = "!/dev/tandem/runtime/Loader.class";

  @Test
  void findsTheJarOfAClass() throws IOException {
    assertEquals(
        Optional.of(Path.of("/opt/my tändem/lib/a!b.jar")),
        jar("jar:file:/opt/my%20t%C3%A4ndem/lib/a!b.jar" + CLASS));
    assertEquals(Optional.of(Path.of("/x/outer!/b.jar")), jar("jar:file:/x/outer!/b.jar" + CLASS));
  }

  @Test
  void thereIsNoneForClassesElsewhere() throws IOException {
    assertEquals(Optional.empty(), jar("file:/x/target/classes/dev/tandem/runtime/Loader.class"));
    assertEquals(Optional.empty(), jar("jar:http://example.org/x.jar" + CLASS));
  }

  private static Optional<Path> jar(String url) throws IOException {
    return Loader.jar(URI.create(url).toURL());
  }
}
