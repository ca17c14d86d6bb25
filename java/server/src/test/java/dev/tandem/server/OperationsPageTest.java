package dev.tandem.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.config.SettingsPage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Sections of docs/operations.md that are made from the code. With {@code
 * -Dtandem.write-docs=true} they are written, otherwise compared.
 */
class OperationsPageTest {

  private static final Path PAGE = Path.of("../../docs/operations.md");

  @Test
  void settingsAreThoseOfTheTable() throws IOException {
    check("settings", SettingsPage.markdown());
  }

  private static void check(String section, String wanted) throws IOException {
    String page = Files.readString(PAGE);
    Matcher found =
        Pattern.compile(
                "(<!-- " + section + ": [^>]*-->\n)(.*?)(<!-- end of " + section + " -->)",
                Pattern.DOTALL)
            .matcher(page);
    assertTrue(found.find(), "docs/operations.md has no section of " + section);
    String framed = "\n" + wanted + "\n";
    if (Boolean.getBoolean("tandem.write-docs")) {
      Files.writeString(
          PAGE, page.substring(0, found.end(1)) + framed + page.substring(found.start(3)));
      return;
    }
    assertEquals(
        framed,
        found.group(2),
        "docs/operations.md is not up to date: mvn test -pl java/server -am"
            + " -Dtest=OperationsPageTest -Dtandem.write-docs=true"
            + " -Dsurefire.failIfNoSpecifiedTests=false");
  }
}
