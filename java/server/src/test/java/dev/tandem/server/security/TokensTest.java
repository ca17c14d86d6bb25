package dev.tandem.server.security;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.Await;
import dev.tandem.server.config.SmallFile;
import dev.tandem.server.request.Caller;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tokens and the file that they stand in. */
class TokensTest {

  private static final String CANARY = "canary-4711-token-of-somebody";

  @TempDir private Path folder;

  private Path file(String text, String permissions) throws IOException {
    Path file = Files.writeString(folder.resolve("tokens"), text);
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
    return file;
  }

  private static String refused(Path file) {
    String message =
        assertThrows(SecurityFileException.class, () -> TokenAuthenticator.of(file)).getMessage();
    assertFalse(message.contains("canary"), message);
    assertTrue(message.contains(file.toString()), message);
    return message;
  }

  @Test
  void tokensHaveTenantsAndPriorities() throws IOException {
    Path file =
        file(
            """
            # who may ask
            %s

              another-long-token-here   alice
            third-long-token-in-here\tbob\t7
            fourth-long-token-here  carol -3
            """
                .formatted(CANARY),
            "rw-------");
    TokenAuthenticator tokens = TokenAuthenticator.of(file);
    assertTrue(tokens.needsToken());
    assertEquals(Optional.of(new Caller("default", "", 0)), tokens.caller(CANARY));
    assertEquals(Optional.of(new Caller("alice", "", 0)), tokens.caller("another-long-token-here"));
    assertEquals(Optional.of(new Caller("bob", "", 7)), tokens.caller("third-long-token-in-here"));
    assertEquals(Optional.of(new Caller("carol", "", -3)), tokens.caller("fourth-long-token-here"));
    for (String wrong : List.of("", "#", CANARY + "x", CANARY.substring(1), "alice", "é")) {
      assertEquals(Optional.empty(), tokens.caller(wrong), wrong);
    }
  }

  @Test
  void theEnvironmentHasThemInOneLine() {
    TokenAuthenticator tokens = TokenAuthenticator.of("VARIABLE", "first-token a 1;second-token b");
    assertEquals("a", tokens.caller("first-token").orElseThrow().tenant());
    assertEquals("b", tokens.caller("second-token").orElseThrow().tenant());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "canary a 1 2          | line 1: has 4 words",
        "x a 1\\ncanary a high | line 2: the priority is no whole number",
        "canary\\ncanary b     | line 2: the token stands in an earlier line",
        "canaryé               | line 1: the token has characters",
        "# nothing             | no token is there",
      })
  void wrongLinesAreNamedButNotShown(String lines, String expected) throws IOException {
    String refusal = refused(file(lines.replace("\\n", "\n"), "rw-------"));
    assertTrue(refusal.contains(expected), refusal);
  }

  @Test
  void filesThatOthersCanReadAreRefused() throws IOException {
    for (String permissions : List.of("rw-r--r--", "rw----r--", "rw-----w-")) {
      assertTrue(refused(file(CANARY, permissions)).contains("chmod o="), permissions);
    }
    TokenAuthenticator.of(file(CANARY, "r--r-----"));
  }

  @Test
  void missingAndBinaryFilesAreErrors() throws IOException {
    assertTrue(refused(folder.resolve("none")).contains("no such file"));
    Path binary = file("", "rw-------");
    Files.write(binary, new byte[] {(byte) 0xff, (byte) 0xfe, 0});
    assertTrue(refused(binary).contains("is no text in UTF-8"));
    assertTrue(refused(folder).contains("Is a directory"));
    Path large = file(CANARY + " ".repeat(SmallFile.MOST_BYTES), "rw-------");
    assertTrue(refused(large).contains("has more than 1MiB"));
  }

  @Test
  void aChangedFileIsReadAndABadOneIsNot() throws Exception {
    Path file = file("first-token-of-them", "rw-------");
    TokenAuthenticator tokens = TokenAuthenticator.of(file);
    try (ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor()) {
      FileWatch.start(List.of(file), Duration.ofMillis(5), timer, () -> tokens.reload(file));
      Files.writeString(file, "second-token-of-them");
      Await.until(() -> tokens.caller("second-token-of-them").isPresent());
      assertEquals(Optional.empty(), tokens.caller("first-token-of-them"));
      for (String bad : List.of("third-token a b c d", "# none", "")) {
        Files.writeString(file, bad);
        tokens.reload(file); // whether or not the watch has come to it
        assertTrue(tokens.caller("second-token-of-them").isPresent(), bad);
      }
      Files.delete(file);
      tokens.reload(file);
      assertTrue(tokens.caller("second-token-of-them").isPresent());
      Path better = Files.writeString(folder.resolve("better"), "fourth-token-of-them");
      Files.setPosixFilePermissions(better, PosixFilePermissions.fromString("rw-------"));
      Files.move(better, file, StandardCopyOption.REPLACE_EXISTING);
      Await.until(() -> tokens.caller("fourth-token-of-them").isPresent());
      timer.shutdownNow();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "anything"})
  void anOpenServerKnowsEverybody(String token) {
    assertEquals(Optional.of(Caller.ANYBODY), Authenticator.open().caller(token));
    assertFalse(Authenticator.open().needsToken());
  }
}
