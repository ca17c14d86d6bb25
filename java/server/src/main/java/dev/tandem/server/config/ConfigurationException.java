package dev.tandem.server.config;

/** A setting is wrong. The message names where it stands, its value and what it can be. */
public final class ConfigurationException extends RuntimeException {

  private static final long serialVersionUID = 1;

  public ConfigurationException(String message) {
    super(message);
  }
}
