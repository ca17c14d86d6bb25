package dev.tandem.engine;

/** A model cannot be run as asked; the message names what, why and what to do. */
public final class EngineException extends RuntimeException {

  private static final long serialVersionUID = 1;

  public EngineException(String message) {
    super(message);
  }
}
