package dev.tandem.server;

import dev.tandem.engine.Engine;
import dev.tandem.engine.EngineException;
import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.MemoryNeed;
import dev.tandem.engine.kv.KvCache;
import dev.tandem.model.Model;
import dev.tandem.server.config.ServerOptions;
import java.util.List;
import java.util.OptionalLong;

/**
 * What a model takes of memory, and how much of it each request can have.
 *
 * @param contextTokens of one request, prompt and answer together
 * @param poolTokens that the KV cache has room for; all requests share it
 * @param need of the engine
 * @param queueBytes that the prompts of waiting requests can take of the Java heap
 * @param available bytes before it is loaded; empty = the system does not tell
 */
public record MemoryPlan(
    int contextTokens, int poolTokens, MemoryNeed need, long queueBytes, OptionalLong available) {

  private static final int MOST_POOL_TOKENS = 1 << 28;
  private static final int LEAST_CONTEXT = 256;
  private static final int SHARE = 4; // of the available memory is for the KV cache, unless told

  /** A line about memory: for whom, how much, and the settings that decide it. */
  public record Row(String what, long bytes, String settings) {}

  /**
   * Chooses the sizes of the context and the KV cache where they were left open.
   *
   * @param engine how the model runs
   * @throws EngineException if what was set is not possible
   */
  static MemoryPlan of(
      Model model, ServerOptions options, EngineOptions engine, OptionalLong available) {
    int trained = model.graph().hyperparameters().trainedContext();
    int context =
        options.model().context().orElse(Math.min(trained, EngineOptions.DEFAULT_KV_TOKENS));
    long perToken = model.graph().kvBytesPerPosition();
    long fixed = fixedBytes(model, engine);
    long left = available.orElse(Long.MAX_VALUE) - fixed;
    long pool;
    if (options.model().kvMemory().isPresent()) {
      pool = wholeBlocks(options.model().kvMemory().get() / perToken);
      if (options.model().context().isEmpty() && pool >= Math.min(LEAST_CONTEXT, context)) {
        context = (int) Math.min(context, pool);
      }
      requireOneContext(options.model().kvMemory().get(), pool, context, perToken);
    } else {
      pool = (long) options.model().parallel() * context;
      if (available.isPresent()) {
        pool = Math.min(pool, wholeBlocks(available.getAsLong() / SHARE / perToken));
      }
      // What cannot be had at all is refused by the engine, which says what could.
      if (options.model().context().isEmpty() && left / perToken >= LEAST_CONTEXT) {
        context = (int) Math.min(context, wholeBlocks(left / perToken));
      }
      pool = Math.max(context, Math.min(pool, wholeBlocks(left / perToken)));
    }
    int tokens = (int) Math.min(pool, MOST_POOL_TOKENS);
    MemoryNeed need = Engine.memoryNeed(model, engine.withKvTokens(tokens));
    long prompt = options.limits().promptTokens().orElse(context);
    long waiting = (long) options.limits().queue() + options.model().parallel();
    return new MemoryPlan(context, tokens, need, waiting * prompt * Integer.BYTES, available);
  }

  /** Bytes of all but the KV cache, with a little more for what grows with its blocks. */
  private static long fixedBytes(Model model, EngineOptions engine) {
    MemoryNeed least = Engine.memoryNeed(model, engine.withKvTokens(1));
    return least.weights() + least.work() + least.work() / 16;
  }

  private static long wholeBlocks(long tokens) {
    return Math.max(0, tokens / KvCache.BLOCK_TOKENS * KvCache.BLOCK_TOKENS);
  }

  private static void requireOneContext(long memory, long pool, int context, long perToken) {
    if (pool < context) {
      throw new EngineException(
          ("--kv-memory %s holds %d tokens, fewer than the %d that one request can have (-c): at"
                  + " least %s are needed, or a context of at most %d tokens")
              .formatted(
                  MemoryNeed.text(memory),
                  pool,
                  context,
                  MemoryNeed.text(KvCache.blocksFor(context) * KvCache.BLOCK_TOKENS * perToken),
                  Math.max(pool, KvCache.BLOCK_TOKENS)));
    }
  }

  /** Of all rows. */
  public long totalBytes() {
    return need.total() + queueBytes;
  }

  /** Everything that takes memory, with the settings that decide how much. */
  public List<Row> rows(ServerOptions options) {
    return List.of(
        new Row("weights", need.weights(), options.model().noRepack() ? "--no-repack" : "-m"),
        new Row(
            "KV cache",
            need.kv(),
            "--kv-memory: room for %d tokens; --ctx-size: %d for each of --parallel %d"
                .formatted(poolTokens, contextTokens, options.model().parallel())),
        new Row(
            "work",
            need.work(),
            "--batch-tokens %d, --parallel %d"
                .formatted(options.model().batchTokens(), options.model().parallel())),
        new Row("prompts", queueBytes, "--queue " + options.limits().queue() + ", at most"));
  }
}
