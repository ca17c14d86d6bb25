package dev.tandem.server.security;

/** Tokens, a key or a certificate cannot be used. The message shows nothing that is secret. */
public final class SecurityFileException extends RuntimeException {

  private static final long serialVersionUID = 1;

  SecurityFileException(String message) {
    super(message);
  }
}
