package dev.tandem.cli.load;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Reads recorded requests: CSV with a header, or a JSON object on each line. Columns are known by
 * their names, as published traces have them: when ({@code timestamp}, {@code req_time}; seconds, a
 * date, or in JSON milliseconds), tokens of the prompt ({@code ContextTokens}, {@code prompt_len},
 * {@code input_length}), and tokens generated ({@code GeneratedTokens}, {@code output_len}, {@code
 * output_length}).
 */
public final class TraceFile {

  private static final int LONGEST_LINE = 1 << 20;
  private static final int MOST_TOKENS = 99_999_999; // as Lengths has it
  private static final List<String> TIMES = List.of("timestamp", "req_time", "seconds");
  private static final List<String> PROMPTS =
      List.of("contexttokens", "prompt_len", "input_length", "prompt_tokens");
  private static final List<String> OUTPUTS =
      List.of("generatedtokens", "output_len", "output_length", "output_tokens");
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss[.SSSSSSS][.SSSSSS][.SSS]");

  private TraceFile() {}

  /**
   * The first requests of a trace; time begins with the first of them.
   *
   * @param most how many
   * @param speed 2 = in half the time
   * @throws IOException if the file cannot be read
   * @throws IllegalArgumentException if it is no trace; the message names the file and the line
   */
  public static Workload read(Path file, int most, double speed) throws IOException {
    List<Arrival> arrivals = new ArrayList<>();
    try (BufferedReader lines = Files.newBufferedReader(file)) {
      Optional<Columns> columns = Optional.empty();
      int number = 0;
      while (arrivals.size() < most) {
        number++;
        try {
          Optional<String> next = line(lines);
          if (next.isEmpty()) {
            break;
          }
          String line = next.get();
          if (line.isBlank()) {
            continue;
          }
          if (line.startsWith("{")) {
            arrivals.add(ofJson(line));
          } else if (columns.isEmpty()) {
            columns = Optional.of(Columns.of(line));
          } else {
            arrivals.add(columns.get().read(line));
          }
        } catch (IllegalArgumentException
            | DateTimeParseException
            | JsonProcessingException
            | CharacterCodingException e) {
          String what = e instanceof CharacterCodingException ? "no UTF-8" : e.getMessage();
          throw new IllegalArgumentException("%s, line %d: %s".formatted(file, number, what), e);
        }
      }
    }
    if (arrivals.isEmpty()) {
      throw new IllegalArgumentException(file + ": no requests are in it");
    }
    arrivals.sort(Comparator.comparingDouble(Arrival::seconds));
    double first = arrivals.getFirst().seconds();
    return new Workload(
        arrivals.stream()
            .map(
                a -> new Arrival((a.seconds() - first) / speed, a.promptTokens(), a.outputTokens()))
            .toList(),
        false);
  }

  /** The next line; empty behind the last. */
  private static Optional<String> line(BufferedReader in) throws IOException {
    StringBuilder line = new StringBuilder();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        return line.isEmpty() ? Optional.empty() : Optional.of(line.toString());
      }
      if (line.length() == LONGEST_LINE) {
        throw new IllegalArgumentException("more than 1 MiB: this is no trace");
      }
      line.append((char) next);
    }
    return Optional.of(line.toString());
  }

  /** Where a CSV file has what. */
  private record Columns(int time, int prompt, int output) {
    static Columns of(String header) {
      List<String> names = List.of(header.strip().toLowerCase(Locale.ROOT).split(","));
      return new Columns(find(names, TIMES), find(names, PROMPTS), find(names, OUTPUTS));
    }

    private static int find(List<String> names, List<String> wanted) {
      return wanted.stream()
          .mapToInt(names::indexOf)
          .filter(index -> index >= 0)
          .findFirst()
          .orElseThrow(() ->
              new IllegalArgumentException(
                  "no column is called " + String.join(", ", wanted) + "; there are " + names));
    }

    Arrival read(String line) {
      String[] cells = line.split(",");
      if (cells.length <= Math.max(time, Math.max(prompt, output))) {
        throw new IllegalArgumentException("only " + cells.length + " columns");
      }
      return arrival(seconds(cells[time]), tokens(cells[prompt]), tokens(cells[output]));
    }
  }

  private static double seconds(String cell) {
    return cell.contains(":")
        ? LocalDateTime.parse(cell.strip(), DATE).toInstant(ZoneOffset.UTC).toEpochMilli() / 1e3
        : Double.parseDouble(cell);
  }

  private static int tokens(String cell) {
    return Integer.parseInt(cell.strip());
  }

  private static Arrival arrival(double seconds, int prompt, int output) {
    if (!Double.isFinite(seconds)) {
      throw new IllegalArgumentException("a time is no number");
    }
    if (Math.min(prompt, output) < 0 || Math.max(prompt, output) > MOST_TOKENS) {
      throw new IllegalArgumentException(
          "%d and %d tokens: from 0 to %d are possible".formatted(prompt, output, MOST_TOKENS));
    }
    return new Arrival(seconds, Math.max(1, prompt), Math.max(1, output));
  }

  private static Arrival ofJson(String line) throws IOException {
    Map<String, Double> numbers = new HashMap<>();
    try (JsonParser json = new JsonFactory().createParser(line)) {
      json.nextToken();
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String name = json.currentName().toLowerCase(Locale.ROOT);
        if (json.nextToken().isNumeric()) {
          numbers.put(name, json.getDoubleValue());
        } else {
          json.skipChildren();
        }
      }
    }
    return arrival(
        number(numbers, TIMES) / 1e3,
        (int) number(numbers, PROMPTS),
        (int) number(numbers, OUTPUTS));
  }

  private static double number(Map<String, Double> numbers, List<String> names) {
    return names.stream()
        .filter(numbers::containsKey)
        .findFirst()
        .map(numbers::get)
        .orElseThrow(() ->
            new IllegalArgumentException("none of " + String.join(", ", names) + " is there"));
  }
}
