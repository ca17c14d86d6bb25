package dev.tandem.server.request;

import java.time.Duration;

/**
 * What a desk has done since it was opened.
 *
 * @param requests that were accepted
 * @param promptTokens of those that have ended
 * @param generatedTokens of those that have ended
 * @param uptime since it was opened
 */
public record DeskTotals(long requests, long promptTokens, long generatedTokens, Duration uptime) {}
