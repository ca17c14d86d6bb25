package dev.tandem.server.config;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The value of every setting, and where it comes from. Later sources hide earlier ones. */
public final class Configuration {

  private record Value(Object value, String origin) {}

  private static final String PRESET = "default";

  private final Map<Setting<?>, Value> values = new LinkedHashMap<>();

  private Configuration() {
    for (Setting<?> setting : Settings.ALL) {
      values.put(setting, new Value(setting.preset(), PRESET));
    }
  }

  /** Everything as it is where nobody says anything. */
  public static Configuration presets() {
    return new Configuration();
  }

  /**
   * Reads the sources in rising precedence: file, environment, flags.
   *
   * @param file in YAML
   * @param environment of the process
   * @param flags by name, as {@code http-port}
   * @throws ConfigurationException if a name is unknown, or a value is none
   */
  public static Configuration of(
      Optional<Path> file, Map<String, String> environment, Map<String, String> flags) {
    Configuration configuration = new Configuration();
    file.ifPresent(path ->
        ConfigurationFile.read(path)
            .forEach((name, text) -> configuration.setByFile(path, name, text)));
    environment.entrySet().stream()
        .filter(entry -> entry.getKey().startsWith(Setting.PREFIX))
        .sorted(Map.Entry.comparingByKey())
        .forEach(entry -> configuration.setByEnvironment(entry.getKey(), entry.getValue()));
    flags.forEach(configuration::setByFlag);
    return configuration;
  }

  private void setByFile(Path file, String name, String text) {
    Setting<?> setting = names().get(name);
    if (setting == null) {
      throw unknown(name + " in " + file, Nearest.of(name, names().keySet()));
    }
    if (setting.secret()) {
      throw new ConfigurationException(
          "%s: %s is a secret, which does not belong here: set %s in the environment"
              .formatted(file, name, setting.environmentName()));
    }
    set(setting, text, file + ", " + name);
  }

  private void setByEnvironment(String variable, String text) {
    Map<String, Setting<?>> known = new LinkedHashMap<>(); // without the prefix, which all have
    Settings.ALL.forEach(setting ->
        known.put(setting.environmentName().substring(Setting.PREFIX.length()), setting));
    String name = variable.substring(Setting.PREFIX.length());
    Setting<?> setting = known.get(name);
    if (setting == null) {
      throw unknown(
          variable + " in the environment",
          Nearest.of(name, known.keySet()).map(Setting.PREFIX::concat));
    }
    set(setting, text, variable);
  }

  private void setByFlag(String name, String text) {
    Setting<?> setting = names().get(name);
    if (setting == null || setting.secret()) {
      throw new IllegalArgumentException(name);
    }
    set(setting, text, setting.flag());
  }

  private static Map<String, Setting<?>> names() {
    Map<String, Setting<?>> names = new LinkedHashMap<>();
    Settings.ALL.forEach(setting -> names.put(setting.name(), setting));
    return names;
  }

  private static ConfigurationException unknown(String where, Optional<String> nearest) {
    return new ConfigurationException(
        "there is no setting %s%s"
            .formatted(
                where,
                nearest
                    .map(meant -> "; did you mean " + meant + "?")
                    .orElse(": 'tandem serve --help' lists all")));
  }

  private <T> void set(Setting<T> setting, String text, String origin) {
    values.put(setting, new Value(setting.parse(text, origin), origin));
  }

  /** What a setting is. */
  <T> T get(Setting<T> setting) {
    @SuppressWarnings("unchecked") // set() and the constructor put in no other
    T value = (T) values.get(setting).value();
    return value;
  }

  /** Where that comes from: "--http-port", "tandem.yaml, http-port". */
  String origin(Setting<?> setting) {
    return values.get(setting).origin();
  }

  /**
   * All settings as a configuration file that sets the same; where they come from is in comments.
   * Secrets are not in it.
   */
  public String print() {
    StringBuilder text = new StringBuilder();
    Optional<Setting.Group> group = Optional.empty();
    for (Setting<?> setting : Settings.ALL) {
      if (!group.equals(Optional.of(setting.group()))) {
        text.append(text.isEmpty() ? "" : "\n")
            .append("# ")
            .append(setting.group().title())
            .append('\n');
        group = Optional.of(setting.group());
      }
      text.append(line(setting)).append('\n');
    }
    return text.toString();
  }

  private <T> String line(Setting<T> setting) {
    T value = get(setting);
    boolean isPreset = origin(setting).equals(PRESET);
    if (setting.secret()) {
      String state = isPreset ? "not set" : "set, hidden";
      return "# " + setting.name() + ": " + state + " (" + setting.environmentName() + ")";
    }
    String written = setting.type().printer().apply(value);
    if (written.isEmpty()) {
      return "# " + setting.name() + ":  # " + setting.presetText();
    }
    return setting.name() + ": " + ConfigurationFile.quoted(written) + "  # " + origin(setting);
  }
}
