package dev.tandem.cli;

import dev.tandem.server.config.Setting;
import dev.tandem.server.config.Settings;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.ArgGroupSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;

/** Gives {@code tandem serve} a flag for each setting of the server, but for secrets. */
final class ServeFlags {

  private static final String ON = "true";

  private ServeFlags() {}

  /** Adds them, in groups. */
  static void addTo(CommandSpec command) {
    Map<Setting.Group, ArgGroupSpec.Builder> groups = new EnumMap<>(Setting.Group.class);
    int order = 0;
    for (Setting<?> setting : Settings.ALL) {
      if (!setting.secret()) {
        groups
            .computeIfAbsent(
                setting.group(),
                group ->
                    ArgGroupSpec.builder()
                        .validate(false)
                        .order(group.ordinal())
                        .heading("%n" + group.title() + ":%n"))
            .addArg(option(setting, order++));
      }
    }
    groups.values().forEach(group -> command.addArgGroup(group.build()));
  }

  private static OptionSpec option(Setting<?> setting, int order) {
    List<String> names = new ArrayList<>(setting.shortFlags());
    names.add(setting.flag());
    String preset = setting.presetText();
    String tail = preset.isEmpty() || setting.isSwitch() ? "" : " Default: " + preset + ".";
    OptionSpec.Builder option =
        OptionSpec.builder(names.toArray(String[]::new))
            .type(String.class)
            .paramLabel(setting.label())
            .description(setting.description() + tail)
            .order(order);
    return setting.isSwitch()
        ? option.arity("0..1").fallbackValue(ON).build()
        : option.arity("1").build();
  }

  /** What was typed, by the settings' names. */
  static Map<String, String> typed(ParseResult result) {
    Map<String, String> typed = new LinkedHashMap<>();
    for (Setting<?> setting : Settings.ALL) {
      if (!setting.secret() && result.hasMatchedOption(setting.flag())) {
        typed.put(setting.name(), result.matchedOptionValue(setting.flag(), ""));
      }
    }
    return typed;
  }
}
