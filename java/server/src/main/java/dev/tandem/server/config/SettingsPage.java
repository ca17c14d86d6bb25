package dev.tandem.server.config;

import java.util.Optional;

/** The settings for documentation. */
public final class SettingsPage {

  private SettingsPage() {}

  /** A table for each group, in Markdown. */
  public static String markdown() {
    StringBuilder page = new StringBuilder();
    Optional<Setting.Group> group = Optional.empty();
    for (Setting<?> setting : Settings.ALL) {
      if (!group.equals(Optional.of(setting.group()))) {
        group = Optional.of(setting.group());
        page.append(page.isEmpty() ? "" : "\n")
            .append("### ")
            .append(setting.group().title())
            .append("\n\n| Flag | In the environment | Default | |\n| --- | --- | --- | --- |\n");
      }
      page.append(
          "| %s | `%s` | %s | %s |\n"
              .formatted(
                  flag(setting),
                  setting.environmentName(),
                  preset(setting),
                  setting.description().replace("|", "\\|").replace("*", "\\*")));
    }
    return page.toString();
  }

  private static String flag(Setting<?> setting) {
    if (setting.secret()) {
      return "(none)";
    }
    String value = setting.isSwitch() ? "" : "=" + setting.label().replace("|", "\\|");
    StringBuilder flags = new StringBuilder();
    setting.shortFlags().forEach(name -> flags.append('`').append(name).append("`, "));
    return flags + "`" + setting.flag() + value + "`";
  }

  private static <T> String preset(Setting<T> setting) {
    String written = setting.type().printer().apply(setting.preset());
    return written.equals(setting.presetText())
        ? written.isEmpty() ? "none" : "`" + written + "`"
        : setting.presetText();
  }
}
