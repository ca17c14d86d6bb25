package dev.tandem.engine.schedule;

/** A text that is to be read and continued. */
public abstract class Request {

  private final Context context;
  private final int mostTokens;
  private final int priority;
  private long longest;

  /**
   * A request that reads what is pending of a context and generates up to so many tokens.
   *
   * @param mostTokens may be more than there will be room for
   * @param priority higher goes first among those that wait
   */
  protected Request(Context context, int mostTokens, int priority) {
    this.context = context;
    this.mostTokens = mostTokens;
    this.priority = priority;
  }

  /** Its text. */
  public final Context context() {
    return context;
  }

  /** Higher goes first among those that wait. */
  public final int priority() {
    return priority;
  }

  /** Tokens that it generates at most. */
  protected final int mostTokens() {
    return mostTokens;
  }

  /** The context has all tokens that are to be read. */
  final void submitted() {
    // The last token that is generated is not read.
    longest = context.ids().size() + Math.max(0, mostTokens - 1L);
  }

  /** Most tokens that the text can come to have in the cache, if nothing else limits it. */
  final long longest() {
    return longest;
  }

  /** Whether it can take another step's result; one that cannot is left out until it can. */
  protected abstract boolean isReady();
}
