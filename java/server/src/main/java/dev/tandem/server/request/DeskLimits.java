package dev.tandem.server.request;

import java.time.Duration;

/**
 * What a desk accepts.
 *
 * @param parallel orders that run at the same time
 * @param queue orders that wait beside them
 * @param promptTokens most tokens of a prompt
 * @param retryAfter what a peer is told that came in vain
 */
public record DeskLimits(int parallel, int queue, int promptTokens, Duration retryAfter) {}
