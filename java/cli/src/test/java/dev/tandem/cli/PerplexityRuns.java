package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Collectors;

/**
 * Runs {@code tandem perplexity} on a text, and says by other commands what it should give.
 *
 * @param folder for files
 * @param text what is measured by
 */
record PerplexityRuns(Path folder, Path text) {

  private static final String STORY =
      "There was once a brave fox who lived near the river. One day the fox met an old owl."
          + " \"Where do you go?\" said the owl.\n";

  /** On a text of some hundred tokens. */
  static PerplexityRuns of(Path folder) throws IOException {
    Path text = Files.writeString(folder.resolve("text.txt"), STORY.repeat(8));
    return new PerplexityRuns(folder, text);
  }

  /** The document that it prints. */
  JsonNode json(String options) {
    return ok(("perplexity --json -q -f " + text + " " + options).strip().split(" +")).json();
  }

  /** The ids of the text with what begins it, by another command. */
  int[] ids(String model) {
    return Arrays.stream(
            ok(("tokenize --ids --bos" + model + " -f " + text).split(" "))
                .out()
                .strip()
                .split(" "))
        .mapToInt(Integer::parseInt)
        .toArray();
  }

  /** The logarithms of the probabilities of all tokens behind each position of a window. */
  double[][] logProbabilities(String model, int[] window) throws IOException {
    Path file = folder.resolve("window.npy");
    String tokens =
        Arrays.stream(window).mapToObj(Integer::toString).collect(Collectors.joining(","));
    ok(("logits --tokens " + tokens + " -o " + file + model).split(" "));
    Npy npy = Npy.read(file);
    double[][] rows = new double[npy.rows()][npy.columns()];
    for (int i = 0; i < rows.length; i++) {
      float[] logits = npy.row(i);
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit);
      }
      for (int token = 0; token < logits.length; token++) {
        rows[i][token] = logits[token] - Math.log(sum);
      }
    }
    return rows;
  }

  /** The file without its last line feed, which does not count. */
  void dropLineFeed() throws IOException {
    String all = Files.readString(text);
    Files.writeString(text, all.substring(0, all.length() - 1));
  }
}
