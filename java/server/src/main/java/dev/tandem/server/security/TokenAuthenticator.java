package dev.tandem.server.security;

import dev.tandem.server.config.SmallFile;
import dev.tandem.server.request.Caller;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Knows those whose tokens stand in a file, or were given otherwise. */
public final class TokenAuthenticator implements Authenticator {

  private static final Logger log = LoggerFactory.getLogger(TokenAuthenticator.class);
  private static final String SETTING = "--token-file";

  private volatile Tokens tokens;

  private TokenAuthenticator(Tokens tokens) {
    this.tokens = tokens;
  }

  /**
   * Of a text of lines, between which ';' may stand as well.
   *
   * @param source what to call it in errors
   * @throws SecurityFileException if a line is no token
   */
  public static TokenAuthenticator of(String source, String lines) {
    return new TokenAuthenticator(Tokens.parse(source, List.of(lines.split("[;\n]"))));
  }

  /**
   * Of a file.
   *
   * @throws SecurityFileException if it cannot be read, if others can read it, or if a line is no
   *     token
   */
  public static TokenAuthenticator of(Path file) {
    Tokens tokens = read(file);
    told(file, tokens);
    return new TokenAuthenticator(tokens);
  }

  /** Reads the file again; if that is wrong, the tokens stay as they are, and the log is told. */
  public void reload(Path file) {
    try {
      Tokens read = read(file);
      tokens = read;
      told(file, read);
    } catch (SecurityFileException e) {
      log.error("the tokens stay as they were: {}", e.getMessage());
    }
  }

  private static void told(Path file, Tokens tokens) {
    log.atInfo().addKeyValue("tokens", tokens.size()).log("tokens read from {}", file);
    if (tokens.shortOnes() > 0) {
      log.warn(
          "{}: {} of the tokens can be guessed, having fewer than 16 characters; a good one is made"
              + " by 'openssl rand -hex 32'",
          file,
          tokens.shortOnes());
    }
  }

  private static Tokens read(Path file) {
    try {
      requireOwn(file);
    } catch (IOException e) {
      throw new SecurityFileException(SmallFile.problem(file, SETTING, e));
    }
    String text = SmallFile.text(file, SETTING, SecurityFileException::new);
    return Tokens.parse(file.toString(), text.lines().toList());
  }

  private static void requireOwn(Path file) throws IOException {
    Set<PosixFilePermission> permissions;
    try {
      permissions = Files.getPosixFilePermissions(file);
    } catch (UnsupportedOperationException e) {
      return; // a file system without them
    }
    if (permissions.contains(PosixFilePermission.OTHERS_READ)
        || permissions.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw new SecurityFileException(
          "%s: every user of this machine has access to it (%s): chmod o= %s"
              .formatted(file, PosixFilePermissions.toString(permissions), file));
    }
  }

  @Override
  public boolean needsToken() {
    return true;
  }

  @Override
  public Optional<Caller> caller(String token) {
    return tokens.caller(token);
  }
}
