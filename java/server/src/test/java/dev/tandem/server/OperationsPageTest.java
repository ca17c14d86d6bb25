package dev.tandem.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.server.config.SettingsPage;
import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.BackendLoad;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Order;
import dev.tandem.server.request.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * Sections of docs/operations.md that are made from the code. With {@code -Dtandem.write-docs=true}
 * they are written, otherwise compared.
 */
class OperationsPageTest {

  private static final Path PAGE = Path.of("../../docs/operations.md");

  @Test
  void settingsAreThoseOfTheTable() throws IOException {
    check("settings", SettingsPage.markdown());
  }

  @Test
  void metricsAreThoseOfAScrape() throws IOException {
    Metrics metrics = new Metrics(() -> Optional.of(new BackendLoad(1, 2, 3, 4, 5)));
    Order order =
        new Order(
            "id",
            new Caller("tenant", "", 0),
            new int[] {1, 2},
            GenerationOptions.of(3, SamplingOptions.greedy()),
            OptionalInt.of(3),
            0,
            Duration.ZERO,
            "http");
    Duration time = Duration.ofMillis(1);
    Generation generation =
        new Generation(Generation.Reason.STOP, Optional.empty(), 1, 1, 3, time, time, time);
    metrics.accepted(order);
    metrics.finished(order, new Outcome(generation, "", 2, time, time, time));
    metrics.connectionOpened("http");
    metrics.httpAnswer("/health", 200);
    String scrape = metrics.scrape();
    metrics.close();
    check("metrics", table(scrape));
  }

  /**
   * Our own metrics, in the order of the scrape; a histogram's are told by the name of the whole.
   */
  private static String table(String scrape) {
    StringBuilder rows =
        new StringBuilder("| Name | Kind | Labels | |\n| --- | --- | --- | --- |\n");
    Matcher metric =
        Pattern.compile("# HELP (tandem_\\w+) (.*)\n# TYPE \\w+ (\\w+)\n(\\S+)").matcher(scrape);
    int found = 0;
    while (metric.find()) {
      if (!metric.group(3).equals("histogram") && metric.group(1).endsWith("_max")) {
        continue; // beside each histogram: the largest value lately
      }
      Set<String> labels = new LinkedHashSet<>();
      Matcher label = Pattern.compile("(\\w+)=\"").matcher(metric.group(4));
      while (label.find()) {
        if (!label.group(1).equals("le")) {
          labels.add("`" + label.group(1) + "`");
        }
      }
      rows.append(
          "| `%s` | %s | %s | %s |\n"
              .formatted(
                  metric.group(1), metric.group(3), String.join(", ", labels), metric.group(2)));
      found++;
    }
    assertTrue(found > 10, scrape);
    return rows.toString();
  }

  private static void check(String section, String wanted) throws IOException {
    String page = Files.readString(PAGE);
    Matcher found =
        Pattern.compile(
                "(<!-- " + section + ": [^>]*-->\n)(.*?)(<!-- end of " + section + " -->)",
                Pattern.DOTALL)
            .matcher(page);
    assertTrue(found.find(), "docs/operations.md has no section of " + section);
    String framed = "\n" + wanted + "\n";
    if (Boolean.getBoolean("tandem.write-docs")) {
      Files.writeString(
          PAGE, page.substring(0, found.end(1)) + framed + page.substring(found.start(3)));
      return;
    }
    assertEquals(
        framed,
        found.group(2),
        "docs/operations.md is not up to date: mvn test -pl java/server -am"
            + " -Dtest=OperationsPageTest -Dtandem.write-docs=true"
            + " -Dsurefire.failIfNoSpecifiedTests=false");
  }
}
