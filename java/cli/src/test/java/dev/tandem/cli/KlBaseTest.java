package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.program.WeightStore;
import dev.tandem.model.Model;
import dev.tandem.model.TestData;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.DeviceOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code tandem perplexity --kl-base}: how far a model is from another. */
class KlBaseTest {

  @TempDir Path folder;
  private PerplexityRuns runs;
  private Path text;

  @BeforeEach
  void writeText() throws IOException {
    runs = PerplexityRuns.of(folder);
    text = runs.text();
  }

  private String comparedWith(Path model, Path base) {
    return " -c 32 -m " + model + " --kl-base " + base;
  }

  @Test
  void modelDoesNotDivergeFromItself() {
    Path model = Models.tiny(folder, TensorType.Q4_0);
    JsonNode json = runs.json(comparedWith(model, model));
    assertEquals(json.get("base_perplexity"), json.get("perplexity"));
    assertEquals(json.get("base_error"), json.get("error"));
    json.get("kl_divergence")
        .properties()
        .forEach(f -> assertEquals(0, f.getValue().doubleValue(), f.getKey()));
    for (String field :
        List.of("ln_ratio", "ln_ratio_error", "mean_dp", "rms_dp", "rms_dp_error")) {
      assertEquals(0, json.get(field).doubleValue(), field);
    }
    assertEquals(1, json.get("same_top").doubleValue());
    assertEquals(runs.json("-c 32 -m " + model).get("perplexity"), json.get("perplexity"));
  }

  @Test
  void otherModelDivergesAsItsLogitsSay() throws IOException {
    Path model = Models.tiny(folder, TensorType.Q4_0);
    Path base = Models.tiny(folder, TensorType.F16);
    JsonNode json = runs.json(comparedWith(model, base));
    runs.dropLineFeed();
    int[] ids = runs.ids(" -m " + model);
    List<Double> divergences = new ArrayList<>();
    double difference = 0;
    int same = 0;
    for (int window = 0; window < ids.length / 32; window++) {
      int[] tokens = Arrays.copyOfRange(ids, window * 32, (window + 1) * 32);
      tokens[0] = ids[0];
      double[][] rows = runs.logProbabilities(" -m " + model, tokens);
      double[][] baseRows = runs.logProbabilities(" -m " + base, tokens);
      for (int at = 16; at < 31; at++) {
        double divergence = 0;
        for (int i = 0; i < rows[at].length; i++) {
          divergence += Math.exp(baseRows[at][i]) * (baseRows[at][i] - rows[at][i]);
        }
        divergences.add(divergence);
        int token = tokens[at + 1];
        difference += Math.exp(rows[at][token]) - Math.exp(baseRows[at][token]);
        same += best(rows[at]) == best(baseRows[at]) ? 1 : 0;
      }
    }
    int count = divergences.size();
    assertEquals(count, json.get("tokens").intValue());
    JsonNode divergence = json.get("kl_divergence");
    double mean = divergences.stream().mapToDouble(d -> d).average().orElseThrow();
    assertTrue(mean > 0);
    assertEquals(mean, divergence.get("mean").doubleValue(), 1e-9 * mean);
    assertEquals(Collections.max(divergences), divergence.get("maximum").doubleValue(), 1e-9);
    assertEquals(Collections.min(divergences), divergence.get("minimum").doubleValue(), 1e-9);
    List<Double> sorted = divergences.stream().sorted().toList();
    double median = (sorted.get((count - 1) / 2) + sorted.get(count / 2)) / 2;
    assertEquals(median, divergence.get("median").doubleValue(), 1e-9);
    double before = 0;
    for (String key :
        List.of("minimum", "p1", "p5", "p10", "median", "p90", "p95", "p99", "p99.9", "maximum")) {
      assertTrue(divergence.get(key).doubleValue() >= before, key);
      before = divergence.get(key).doubleValue();
    }
    assertEquals(difference / count, json.get("mean_dp").doubleValue(), 1e-12);
    assertEquals((double) same / count, json.get("same_top").doubleValue(), 1e-12);
    double logRatio =
        Math.log(json.get("perplexity").doubleValue() / json.get("base_perplexity").doubleValue());
    assertEquals(logRatio, json.get("ln_ratio").doubleValue(), 1e-12);
    assertEquals(runs.json("-c 32 -m " + base).get("perplexity"), json.get("base_perplexity"));
    assertEquals(
        runs.json("-c 32 -m " + base).get("error").doubleValue(),
        json.get("base_error").doubleValue(),
        1e-12);
    for (String options : List.of(" -b 7", " -t 3")) {
      assertEquals(
          withoutTimes(json), withoutTimes(runs.json(comparedWith(model, base) + options)));
    }
  }

  private static int best(double[] row) {
    return IntStream.range(0, row.length).reduce(0, (a, b) -> row[b] > row[a] ? b : a);
  }

  private static JsonNode withoutTimes(JsonNode json) {
    return ((ObjectNode) json.deepCopy())
        .without(List.of("seconds", "load_seconds", "threads", "memory_bytes"));
  }

  /** The same weights in ever fewer bits. */
  @Test
  void divergenceGrowsWithQuantisation() {
    PerplexityRuns english =
        new PerplexityRuns(folder, TestData.path("models/smollm2/perplexity.txt"));
    Path base = TestData.path("golden/llama-untied-f32.gguf");
    double before = 0;
    for (String type : List.of("f16", "q8_0", "q6_k", "q4_0")) {
      Path model = TestData.path("golden/llama-untied-" + type + ".gguf");
      double mean =
          english
              .json("--chunks 4" + comparedWith(model, base))
              .get("kl_divergence")
              .get("mean")
              .doubleValue();
      assertTrue(mean > 3 * before, type + ": " + mean + " after " + before);
      before = mean;
    }
  }

  @Test
  void otherVocabularyIsRefused() {
    Path model = Models.tiny(folder, TensorType.F16);
    Tandem.Result result = run("perplexity", "-f", text.toString(), "--kl-base", model.toString());
    assertEquals(1, result.code());
    assertEquals(
        "tandem: Tandem Stories and synthetic tiny F16 have different vocabularies (1376 and 512"
            + " logits) and cannot be compared: name a --kl-base with the same one\n",
        result.err());
  }

  @Test
  void otherTokensOfAnEquallyLargeVocabularyAreRefused() {
    Path model = TestData.path("golden/llama-untied-f16.gguf");
    Path base = folder.resolve("other.gguf");
    ok("synth", "-o", base.toString(), "--layers", "1", "--vocabulary", "320");
    Tandem.Result result =
        run(
            "perplexity",
            "-f",
            text.toString(),
            "-m",
            model.toString(),
            "--kl-base",
            base.toString());
    assertEquals(1, result.code());
    assertTrue(
        result
            .err()
            .matches(
                "tandem: .* have different vocabularies \\(token \\d+ is '.+' and '.+'\\) and"
                    + " cannot be compared: .*\n"),
        result.err());
  }

  @Test
  void modelsThatDoNotFitTogetherAreRefusedBeforeTheyAreLoaded() {
    List<Model> one = List.of(Model.open(Models.tiny(folder, TensorType.F16)));
    List<Model> both = Stream.of(one, one).flatMap(List::stream).toList();
    EngineOptions tiles = EngineOptions.of(DeviceOptions.cpu(1));
    EngineOptions mapped = tiles.withWeights(WeightStore.Mode.MAPPED);
    long bytes = one.getFirst().file().tensorBytes();
    PerplexityCommand.requireRoom(both, tiles, OptionalLong.of(2 * bytes));
    PerplexityCommand.requireRoom(both, tiles, OptionalLong.empty());
    PerplexityCommand.requireRoom(both, mapped, OptionalLong.of(0));
    PerplexityCommand.requireRoom(one, tiles, OptionalLong.of(0)); // the engine says it better
    Failure failure =
        assertThrows(
            Failure.class,
            () -> PerplexityCommand.requireRoom(both, tiles, OptionalLong.of(2 * bytes - 1)));
    assertTrue(
        failure
            .getMessage()
            .matches(
                "both models together need .* KiB for their weights, and .* KiB are available; .*"),
        failure.getMessage());
  }

  @Test
  void comparisonIsATable() {
    Path model = Models.tiny(folder, TensorType.Q8_0);
    String out = ok(("perplexity -q -f " + text + comparedWith(model, model)).split(" ")).out();
    String[] lines = out.split("\n");
    List<String> names =
        List.of(
            "perplexity  ",
            "perplexity of the base  ",
            "ratio  ",
            "ln\\(ratio\\)  ",
            "KL divergence, mean  ",
            "  maximum  ",
            "  99.9 %  ",
            "  99 %  ",
            "  95 %  ",
            "  90 %  ",
            "  median  ",
            "  10 %  ",
            "  5 %  ",
            "  1 %  ",
            "  minimum  ",
            "difference of p, mean  ",
            "  root mean square  ",
            "same likeliest token  ");
    assertEquals(names.size(), lines.length, out);
    for (int i = 0; i < lines.length; i++) {
      assertTrue(lines[i].matches(names.get(i) + ".*"), lines[i]);
    }
    assertTrue(lines[17].matches(".* 100\\.000 +± +0\\.000 +%"), lines[17]);
  }
}
