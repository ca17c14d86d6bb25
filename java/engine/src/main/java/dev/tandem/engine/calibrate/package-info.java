/** Measures what a machine can do at most, and what a model's kernels reach of it. */
package dev.tandem.engine.calibrate;
