package dev.tandem.reference;

import dev.tandem.model.TestData;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;

/**
 * A tiny model with the logits that llama.cpp computes of it; the README of the test data tells
 * how. Every method skips the running test where the data are absent.
 *
 * @param name the file's, without its ending
 * @param tolerance the largest error that a run in the file's own precision may have
 */
public record Golden(String name, double tolerance) {

  /** Where the reference's best logit leads by more, it must be ours too. */
  public static final double MARGIN = 0.2;

  /**
   * Those of the architecture {@code llama}, except the one that needs YaRN, which we do not have.
   */
  public static List<Golden> llamas() {
    return lines("tolerances.tsv").stream()
        .skip(1)
        .map(line -> line.split("\t"))
        .map(fields -> new Golden(fields[0], Double.parseDouble(fields[2])))
        .filter(golden -> golden.name.startsWith("llama") && !golden.name.contains("yarn"))
        .toList();
  }

  /** The tokens whose logits {@link #logits()} are, one sequence from position 0 on. */
  public static int[] tokens() {
    return Arrays.stream(lines("tokens.txt").getFirst().split(" "))
        .mapToInt(Integer::parseInt)
        .toArray();
  }

  public Path model() {
    return TestData.path("golden/" + name + ".gguf");
  }

  /** {@code [tokens][vocabulary]}. */
  public double[][] logits() {
    return Npy.read(TestData.path("golden/" + name + ".npy"));
  }

  @Override
  public String toString() {
    return name;
  }

  private static List<String> lines(String file) {
    try {
      return Files.readAllLines(TestData.path("golden/" + file));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
