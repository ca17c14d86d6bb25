package dev.tandem.server.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;
import java.util.regex.Pattern;

/** A file of settings: YAML of one level, {@code name: value}. */
final class ConfigurationFile {

  // What YAML takes for the text that it looks like.
  private static final Pattern PLAIN = Pattern.compile("[A-Za-z0-9/][A-Za-z0-9/._,+-]*");

  private static final YAMLFactory YAML =
      YAMLFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(YAMLParser.Feature.EMPTY_STRING_AS_NULL)
          .build();

  private ConfigurationFile() {}

  /**
   * Names and values, as text: as they are written, and not as YAML understands numbers, so that
   * 007 is the same here as on a command line.
   *
   * @throws ConfigurationException if it cannot be read, or is something else
   */
  static Map<String, String> read(Path file) {
    String text = SmallFile.text(file, "--config", ConfigurationException::new);
    try (YAMLParser yaml = YAML.createParser(text)) {
      return settings(file, yaml);
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
    } catch (IOException e) {
      throw new UncheckedIOException("a text can always be read", e);
    }
  }

  private static Map<String, String> settings(Path file, YAMLParser yaml) throws IOException {
    Map<String, String> values = new LinkedHashMap<>();
    JsonToken first = yaml.nextToken();
    if (first == JsonToken.START_OBJECT) {
      while (yaml.nextToken() == JsonToken.FIELD_NAME) {
        String name = yaml.currentName();
        yaml.nextToken();
        values.put(name, value(file, name, yaml));
      }
    } else if (first != null && first != JsonToken.VALUE_NULL) { // empty, or comments alone
      throw new ConfigurationException(file + ": lines of 'name: value' are expected");
    }
    if (yaml.nextToken() != null) {
      throw new ConfigurationException(file + ": has a second document behind '---': leave one");
    }
    return values;
  }

  /** One value, or several with commas between them. */
  private static String value(Path file, String name, YAMLParser yaml) throws IOException {
    if (yaml.currentToken() != JsonToken.START_ARRAY) {
      return scalar(file, name, yaml);
    }
    StringJoiner parts = new StringJoiner(",");
    while (yaml.nextToken() != JsonToken.END_ARRAY) {
      parts.add(scalar(file, name, yaml));
    }
    return parts.toString();
  }

  private static String scalar(Path file, String name, YAMLParser yaml) throws IOException {
    JsonToken token = yaml.currentToken();
    if (!token.isScalarValue() || token == JsonToken.VALUE_NULL || yaml.isCurrentAlias()) {
      throw new ConfigurationException(
          "%s, %s: one value is expected, or several in [ ]".formatted(file, name));
    }
    return yaml.getText();
  }

  /** A text so that YAML reads it as it is. */
  static String quoted(String text) {
    return PLAIN.matcher(text).matches() ? text : "'" + text.replace("'", "''") + "'";
  }
}
