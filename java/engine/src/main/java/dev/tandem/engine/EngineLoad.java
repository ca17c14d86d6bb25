package dev.tandem.engine;

/**
 * How busy an engine is; the numbers are of about the same moment.
 *
 * @param running generations that have their room in the cache, and take part in steps
 * @param waiting generations that wait for room
 * @param lastStep generations in the step that runs, or ran last; 0 when there is nothing to do
 * @param kvBlocks blocks of the KV cache, of {@link dev.tandem.engine.kv.KvCache#BLOCK_TOKENS}
 *     positions each
 * @param kvBlocksUsed those that belong to a text: of generations under way and of sessions
 */
public record EngineLoad(int running, int waiting, int lastStep, int kvBlocks, int kvBlocksUsed) {}
