package dev.tandem.reference;

import dev.tandem.model.graph.Rotation;

/**
 * The formulas of the operators in double precision, one method each, for the row of one token.
 * Nothing is rounded, and nothing is clever.
 */
final class Formulas {

  private Formulas() {}

  /** {@code y[i] = x[i] / sqrt(mean(x^2) + epsilon) * weight[i]}. */
  static double[] norm(double[] x, double[] weight, double epsilon) {
    double squares = 0;
    for (double element : x) {
      squares += element * element;
    }
    double root = Math.sqrt(squares / x.length + epsilon);
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = x[i] / root * weight[i];
    }
    return y;
  }

  /** {@code sum(a[i] * b[i])} over {@code count} elements of two rows, each from its offset on. */
  static double dot(double[] a, int fromA, double[] b, int fromB, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += a[fromA + i] * b[fromB + i];
    }
    return sum;
  }

  /**
   * Rotates every head of a row by its position: with the angle {@code t = position *
   * frequency[i]}, the pair {@code (a, b)} number {@code i} becomes {@code (a cos t - b sin t, a
   * sin t + b cos t)}. Elements of a head beyond the rotated ones stay.
   */
  static double[] rotate(
      double[] x, int headSize, Rotation.Layout layout, double[] frequencies, int position) {
    int pairs = frequencies.length;
    double[] y = x.clone();
    for (int head = 0; head < x.length; head += headSize) {
      for (int i = 0; i < pairs; i++) {
        int first = head + (layout == Rotation.Layout.NORM ? 2 * i : i);
        int second = layout == Rotation.Layout.NORM ? first + 1 : first + pairs;
        double cos = Math.cos(position * frequencies[i]);
        double sin = Math.sin(position * frequencies[i]);
        y[first] = x[first] * cos - x[second] * sin;
        y[second] = x[first] * sin + x[second] * cos;
      }
    }
    return y;
  }

  /**
   * What a token sees of the tokens up to itself: per query head {@code sum(p[s] * value[s])} with
   * {@code p = softmax(scale * query . key[s])}, where {@code heads / kvHeads} query heads in a row
   * share a key and value head.
   *
   * @param query the row of the token: all query heads
   * @param keys a row per token of the sequence: all key heads
   * @param values a row per token of the sequence: all value heads
   * @param token which token of the sequence; those after it are not looked at
   */
  static double[] attend(
      double[] query, double[][] keys, double[][] values, int token, int headSize, double scale) {
    int heads = query.length / headSize;
    int kvHeads = keys[token].length / headSize;
    double[] y = new double[query.length];
    for (int head = 0; head < heads; head++) {
      int own = head * headSize;
      int shared = head / (heads / kvHeads) * headSize;
      double[] scores = new double[token + 1];
      for (int s = 0; s <= token; s++) {
        scores[s] = scale * dot(query, own, keys[s], shared, headSize);
      }
      double[] probabilities = softmax(scores);
      for (int s = 0; s <= token; s++) {
        for (int i = 0; i < headSize; i++) {
          y[own + i] += probabilities[s] * values[s][shared + i];
        }
      }
    }
    return y;
  }

  /** {@code exp(x[i]) / sum(exp(x))}; the largest is subtracted first, which changes nothing. */
  static double[] softmax(double[] x) {
    double largest = Double.NEGATIVE_INFINITY;
    for (double element : x) {
      largest = Math.max(largest, element);
    }
    double sum = 0;
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = Math.exp(x[i] - largest);
      sum += y[i];
    }
    for (int i = 0; i < y.length; i++) {
      y[i] /= sum;
    }
    return y;
  }

  /** {@code silu(gate[i]) * up[i]}, where {@code silu(g) = g / (1 + exp(-g))}. */
  static double[] gated(double[] gate, double[] up) {
    double[] y = new double[gate.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
    }
    return y;
  }

  /** {@code a[i] + b[i]}. */
  static double[] sum(double[] a, double[] b) {
    double[] y = new double[a.length];
    for (int i = 0; i < y.length; i++) {
      y[i] = a[i] + b[i];
    }
    return y;
  }
}
