package dev.tandem.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.model.graph.Rotation;
import org.junit.jupiter.api.Test;

/** Small cases that were computed by hand. */
class FormulasTest {
  private static final double EXACT = 1e-15;
  private static final double HALF_TURN = Math.PI;
  private static final double QUARTER_TURN = Math.PI / 2;

  @Test
  void norm() {
    // Mean square (9 + 16) / 2 + 12 = 24.5; divided by its root, times the weights.
    double root = Math.sqrt(24.5);
    double[] x = {3, -4};
    double[] weight = {2, 0.5};
    assertArrayEquals(new double[] {6 / root, -2 / root}, Formulas.norm(x, weight, 12), EXACT);
  }

  @Test
  void dot() {
    double[] a = {9, 1, 2};
    double[] b = {3, 4, 9, 9};
    assertEquals(1 * 3 + 2 * 4, Formulas.dot(a, 1, b, 0, 2));
  }

  /** Position 1: the first pair makes a quarter of a turn, the second half a turn. */
  @Test
  void rotatesNeighbours() {
    double[] x = {1, 2, 3, 4, 5, 6, 7, 8};
    double[] frequencies = {QUARTER_TURN, HALF_TURN};
    assertArrayEquals(
        new double[] {-2, 1, -3, -4, -6, 5, -7, -8},
        Formulas.rotate(x, 4, Rotation.Layout.NORM, frequencies, 1),
        1e-14);
  }

  @Test
  void rotatesHalves() {
    double[] x = {1, 2, 3, 4, 5, 6, 7, 8};
    double[] frequencies = {QUARTER_TURN, HALF_TURN};
    assertArrayEquals(
        new double[] {-3, -2, 1, -4, -7, -6, 5, -8},
        Formulas.rotate(x, 4, Rotation.Layout.NEOX, frequencies, 1),
        1e-14);
  }

  @Test
  void rotatesByPosition() {
    double[] x = {1, 0};
    double[] expected = {Math.cos(2.1), Math.sin(2.1)};
    for (Rotation.Layout layout : Rotation.Layout.values()) {
      assertArrayEquals(x, Formulas.rotate(x, 2, layout, new double[] {0.7}, 0));
      assertArrayEquals(expected, Formulas.rotate(x, 2, layout, new double[] {0.7}, 3), EXACT);
    }
  }

  /** Only the first two of a head's four elements are rotated. */
  @Test
  void rotatesAPartOfAHead() {
    double[] x = {1, 2, 3, 4, 5, 6, 7, 8};
    double[] half = {HALF_TURN};
    for (Rotation.Layout layout : Rotation.Layout.values()) {
      assertArrayEquals(
          new double[] {-1, -2, 3, 4, -5, -6, 7, 8}, Formulas.rotate(x, 4, layout, half, 1), 1e-14);
    }
  }

  @Test
  void softmax() {
    double[] x = {Math.log(1), Math.log(3), Math.log(4)};
    assertArrayEquals(new double[] {1 / 8.0, 3 / 8.0, 4 / 8.0}, Formulas.softmax(x), EXACT);
    assertArrayEquals(new double[] {0.5, 0.5}, Formulas.softmax(new double[] {5000, 5000}), EXACT);
  }

  /** Scores 0 and log 3 (that is scale 0.5 times 2 log 3): probabilities 1/4 and 3/4. */
  @Test
  void attends() {
    double[] query = {2, 9};
    double[][] keys = {{0, 0}, {Math.log(3), 0}, {1000, 1000}};
    double[][] values = {{4, 8}, {8, 16}, {-1e6, -1e6}};
    assertArrayEquals(new double[] {4, 8}, Formulas.attend(query, keys, values, 0, 2, 0.5), EXACT);
    assertArrayEquals(new double[] {7, 14}, Formulas.attend(query, keys, values, 1, 2, 0.5), 1e-14);
  }

  /** Six query heads of one element, two of keys and values: three in a row share one. */
  @Test
  void attendsInGroups() {
    double[] query = {1, 2, 3, 4, 5, 6};
    double[][] keys = {{1, 1}};
    double[][] values = {{10, 20}};
    assertArrayEquals(
        new double[] {10, 10, 10, 20, 20, 20},
        Formulas.attend(query, keys, values, 0, 1, 1),
        EXACT);
  }

  @Test
  void gated() {
    double[] gate = {0, Math.log(3), -Math.log(3), -1000};
    double[] up = {5, 2, 2, 1};
    assertArrayEquals(
        new double[] {0, Math.log(3) * 1.5, -Math.log(3) * 0.5, 0},
        Formulas.gated(gate, up),
        EXACT);
  }

  @Test
  void sum() {
    assertArrayEquals(new double[] {4, 6}, Formulas.sum(new double[] {1, 2}, new double[] {3, 4}));
  }
}
