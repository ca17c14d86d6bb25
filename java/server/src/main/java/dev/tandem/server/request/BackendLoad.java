package dev.tandem.server.request;

/**
 * How busy a backend is, at about the same time.
 *
 * @param running generations that take part in steps
 * @param waiting generations that wait for room
 * @param lastBatch generations in the last step
 * @param kvTokens positions that the KV cache has room for
 * @param kvTokensUsed positions in blocks that are taken
 */
public record BackendLoad(
    int running, int waiting, int lastBatch, long kvTokens, long kvTokensUsed) {}
