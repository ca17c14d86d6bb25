package dev.tandem.client;

import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.Started;

/**
 * A whole generation.
 *
 * @param text all of it
 * @param started what the server told when it accepted it
 * @param finished why it ended, and what it took
 */
public record Completion(String text, Started started, Finished finished) {}
