/**
 * How good a model's predictions are: perplexity, and the divergence from a reference model. Pure
 * arithmetic on rows of logits, wherever they come from; it knows nothing of the engine.
 */
package dev.tandem.engine.score;
