package dev.tandem.server.config;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;
import java.util.regex.Pattern;

/** A file of settings: YAML of one level, {@code name: value}. */
final class ConfigurationFile {

  // What YAML takes for the text that it looks like.
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9/][A-Za-z0-9/._,+-]*");

  private ConfigurationFile() {}

  /**
   * Names and values, as text.
   *
   * @throws ConfigurationException if it cannot be read, or is something else
   */
  static Map<String, String> read(Path file) {
    JsonNode root = parse(file);
    Map<String, String> values = new LinkedHashMap<>();
    if (root.isMissingNode() || root.isNull()) {
      return values; // empty, or comments alone
    }
    if (!root.isObject()) {
      throw new ConfigurationException(file + ": lines of 'name: value' are expected");
    }
    root.properties()
        .forEach(entry -> values.put(entry.getKey(), text(file, entry.getKey(), entry.getValue())));
    return values;
  }

  private static JsonNode parse(Path file) {
    YAMLMapper yaml =
        YAMLMapper.builder()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();
    String text = SmallFile.text(file, "--config", ConfigurationException::new);
    try {
      return yaml.readTree(text);
    } catch (JsonProcessingException e) {
      String place =
          e.getLocation() == null
              ? ""
              : ", line "
                  + e.getLocation().getLineNr()
                  + ", column "
                  + e.getLocation().getColumnNr();
      throw new ConfigurationException(
          file + place + ": " + e.getOriginalMessage().lines().findFirst().orElse("no YAML"));
    }
  }

  private static String text(Path file, String name, JsonNode value) {
    if (value.isArray()) {
      StringJoiner parts = new StringJoiner(",");
      value.forEach(part -> parts.add(text(file, name, part)));
      return parts.toString();
    }
    if (!value.isValueNode() || value.isNull()) {
      throw new ConfigurationException(
          "%s, %s: one value is expected, or several in [ ]".formatted(file, name));
    }
    return value.asText();
  }

  /** A text so that YAML reads it as it is. */
  static String quoted(String text) {
    return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "''") + "'";
  }
}
