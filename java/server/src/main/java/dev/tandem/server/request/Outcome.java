package dev.tandem.server.request;

import dev.tandem.engine.Generation;
import java.time.Duration;

/**
 * How an order went.
 *
 * @param generation as the engine tells it
 * @param rest text that was held back in case it began a stop string
 * @param promptTokens of the order's prompt, cached or not
 * @param queued from arrival until it began to run
 * @param firstToken from arrival to the first token
 * @param total from arrival to the end
 */
public record Outcome(
    Generation generation,
    String rest,
    int promptTokens,
    Duration queued,
    Duration firstToken,
    Duration total) {

  /** Mean time of each token after the first. */
  public Duration perOutputToken() {
    int after = generation.generatedTokens() - 1;
    return after <= 0 ? Duration.ZERO : generation.decode().dividedBy(after);
  }
}
