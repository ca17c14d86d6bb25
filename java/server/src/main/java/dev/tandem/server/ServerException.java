package dev.tandem.server;

/** A server cannot start. The message names the thing, the value and the remedy. */
public final class ServerException extends RuntimeException {

  private static final long serialVersionUID = 1;

  public ServerException(String message, Throwable cause) {
    super(message, cause);
  }
}
