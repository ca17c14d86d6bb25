package dev.tandem.engine;

/** What becomes of generations when their device fails for good, with all that it held. */
public enum OnDeviceLoss {
  /** They fail, and so do all that come later: a new process is needed. */
  FAIL,
  /**
   * The model is loaded again, on the CPU, and texts go on where they stopped: they are read again.
   */
  CPU
}
