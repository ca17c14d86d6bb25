package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ServerTokenTest {

  private static final Optional<String> NONE = Optional.empty();

  @TempDir private Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"canary", "canary\n", "canary\r\n", "  canary \n\n"})
  void whatIsAroundIsNoPartOfIt(String text) throws IOException {
    Path file = Files.writeString(folder.resolve("token"), text);
    assertEquals(Optional.of("canary"), ServerToken.of(Optional.of(file), NONE));
    assertEquals(Optional.of("canary"), ServerToken.of(Optional.empty(), Optional.of(text)));
  }

  @Test
  void aFileGoesBeforeTheVariable() throws IOException {
    Path file = Files.writeString(folder.resolve("token"), "canary");
    assertEquals(Optional.of("canary"), ServerToken.of(Optional.of(file), Optional.of("other")));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\n"})
  void anEmptyVariableIsNoToken(String text) {
    assertEquals(NONE, ServerToken.of(Optional.empty(), Optional.of(text)));
  }

  /** A line end in it would end the header that carries it, and begin another. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "canary\ncanary",
        "canary\r\nX-Other: canary",
        "canary canary",
        "canary\u0000",
        "can\u00e4ry"
      })
  void oneWordIsWantedAndNothingOfItIsTold(String text) throws IOException {
    Path file = Files.writeString(folder.resolve("token"), text);
    Failure ofFile = assertThrows(Failure.class, () -> ServerToken.of(Optional.of(file), NONE));
    assertTrue(ofFile.getMessage().startsWith(file + ": one line is wanted"), ofFile.getMessage());
    Failure ofVariable =
        assertThrows(Failure.class, () -> ServerToken.of(Optional.empty(), Optional.of(text)));
    assertTrue(ofVariable.getMessage().startsWith("the variable TANDEM_TOKEN: one line"));
    assertFalse((ofFile.getMessage() + ofVariable.getMessage()).contains("can"), text);
  }

  @Test
  void anEmptyFileIsNamed() throws IOException {
    Path file = Files.writeString(folder.resolve("token"), "\n");
    Failure failure = assertThrows(Failure.class, () -> ServerToken.of(Optional.of(file), NONE));
    assertTrue(failure.getMessage().contains("one line is wanted"), failure.getMessage());
  }

  /** Somebody's model, named by mistake, or a device that never ends. */
  @Test
  void noMoreThanATokenIsRead() {
    Path endless = Path.of("/dev/zero");
    Failure failure = assertThrows(Failure.class, () -> ServerToken.of(Optional.of(endless), NONE));
    assertTrue(failure.getMessage().contains("more than 4096 bytes"), failure.getMessage());
  }

  @Test
  void aFileThatCannotBeReadIsNamed() {
    Path missing = folder.resolve("missing");
    Failure failure = assertThrows(Failure.class, () -> ServerToken.of(Optional.of(missing), NONE));
    assertEquals(missing + ": no such file", failure.getMessage());
    assertTrue(
        assertThrows(Failure.class, () -> ServerToken.of(Optional.of(folder), NONE))
            .getMessage()
            .startsWith(folder + ": "));
  }
}
