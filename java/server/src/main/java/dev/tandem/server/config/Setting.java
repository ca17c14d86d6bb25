package dev.tandem.server.config;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Something that can be set, under the same name everywhere.
 *
 * @param name in the file: {@code http-port}
 * @param group under which the documentation lists it
 * @param type how its values are written
 * @param preset what it is where nobody says anything
 * @param presetText what to tell of that
 * @param description a sentence or a few for help and documentation
 * @param shortFlags other names of the flag: {@code -c}
 * @param secret whether it comes by the environment alone, and is never shown
 */
public record Setting<T>(
    String name,
    Group group,
    Type<T> type,
    T preset,
    String presetText,
    String description,
    List<String> shortFlags,
    boolean secret) {

  /** The beginning of all names in the environment. */
  public static final String PREFIX = "TANDEM_SERVE_";

  /** What settings are about; in the order of the documentation. */
  public enum Group {
    MODEL("Model and memory"),
    NETWORK("Network"),
    LIMITS("Limits"),
    SECURITY("Security"),
    HTTP("HTTP and the web page"),
    LOG("Log");

    private final String title;

    Group(String title) {
      this.title = title;
    }

    public String title() {
      return title;
    }
  }

  static <T> Setting<T> of(String name, Group group, Type<T> type, T preset, String description) {
    String text = type.printer().apply(preset);
    return new Setting<>(name, group, type, preset, text, description, List.of(), false);
  }

  /** One that may be left open; {@code preset} tells what it is then. */
  static <T> Setting<Optional<T>> open(
      String name, Group group, Type<T> type, String preset, String description) {
    Type<Optional<T>> optional = type.orNothing();
    return new Setting<>(
        name, group, optional, Optional.empty(), preset, description, List.of(), false);
  }

  Setting<T> withShort(String... flags) {
    return new Setting<>(
        name, group, type, preset, presetText, description, List.of(flags), secret);
  }

  Setting<T> asSecret() {
    return new Setting<>(name, group, type, preset, presetText, description, shortFlags, true);
  }

  /** Its name in the environment: {@code TANDEM_SERVE_HTTP_PORT}. */
  public String environmentName() {
    return PREFIX + name.toUpperCase(Locale.ROOT).replace('-', '_');
  }

  /** Its flag: {@code --http-port}. */
  public String flag() {
    return "--" + name;
  }

  /** What the help calls a value. */
  public String label() {
    return type.label();
  }

  /** Whether it is on or off: a flag without a value switches it on. */
  public boolean isSwitch() {
    return preset instanceof Boolean;
  }

  /**
   * Reads a value.
   *
   * @param origin where it stands: "--http-port", "TANDEM_SERVE_HTTP_PORT", "tandem.yaml,
   *     http-port"
   * @throws ConfigurationException if it is none; a secret's value is not in the message
   */
  T parse(String text, String origin) {
    try {
      return type.parser().apply(text.strip());
    } catch (IllegalArgumentException e) {
      throw new ConfigurationException(
          "%s: %s is not possible: %s"
              .formatted(origin, secret ? "this value" : "'" + text + "'", type.allowed()));
    }
  }
}
