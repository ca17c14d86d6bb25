package dev.tandem.model.graph;

/**
 * What an operator does for a workload, independent of any machine.
 *
 * @param flops floating-point (or integer) operations, a multiply-add counting as two
 * @param weightBytes bytes of weights read
 * @param activationBytes bytes of activations read and written
 * @param kvBytes bytes of the KV cache read and written
 */
public record Cost(double flops, double weightBytes, double activationBytes, double kvBytes) {

  public static final Cost NONE = new Cost(0, 0, 0, 0);

  public Cost plus(Cost other) {
    return new Cost(
        flops + other.flops,
        weightBytes + other.weightBytes,
        activationBytes + other.activationBytes,
        kvBytes + other.kvBytes);
  }
}
