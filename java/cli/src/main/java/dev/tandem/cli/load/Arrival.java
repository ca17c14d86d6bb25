package dev.tandem.cli.load;

/**
 * One request of a load.
 *
 * @param seconds after the beginning of the load at which it is sent
 * @param promptTokens at least 1
 * @param outputTokens to generate, at least 1
 */
public record Arrival(double seconds, int promptTokens, int outputTokens) {}
