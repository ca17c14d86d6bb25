package dev.tandem.engine.schedule;

import dev.tandem.engine.kv.KvSequence;
import dev.tandem.text.TokenBuffer;

/**
 * The tokens of a text, and those of them whose keys and values are in the cache: always the first
 * ones. What is not in the cache can be read again at any time, to the same bits (invariant 1), so
 * the cache may be taken away from a text that rests.
 *
 * <p>Belongs to the thread that runs the steps while a request for it is under way; only {@link
 * #cached} may be asked for by others.
 */
public final class Context {

  private final TokenBuffer ids = new TokenBuffer();
  private final KvSequence sequence = new KvSequence();
  private volatile int cached;

  /** The tokens, read or not. */
  public TokenBuffer ids() {
    return ids;
  }

  /** Its place in the cache. */
  public KvSequence sequence() {
    return sequence;
  }

  /** Tokens that are not in the cache: a request reads them, and generates what follows. */
  public int pending() {
    return ids.size() - sequence.length();
  }

  /** Tokens in the cache, as last told; from any thread. */
  public int cached() {
    return cached;
  }

  /** Tells the others how many tokens are in the cache. */
  public void publish() {
    cached = sequence.length();
  }
}
