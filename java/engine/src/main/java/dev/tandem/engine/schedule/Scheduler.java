package dev.tandem.engine.schedule;

import dev.tandem.engine.kv.KvCache;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Decides what the next step computes: continuous batching; of those who wait, the highest priority
 * first, and among equals who came first.
 *
 * <p>A request waits until the cache has room for all that it may come to need, so that it never
 * stops half way; room is made by taking away the caches of texts that rest, those first that
 * rested longest. Then it runs until it ends; only one whose listener does not keep up is set aside
 * if others need its room. A step takes one token of every request that decodes, and with what is
 * left, pieces of prompts, as many as keep the step short for those who decode. By invariant 1
 * nothing that is decided here changes a text.
 *
 * <p>Pure bookkeeping: no thread, no clock, no native code. Not safe for use from several threads.
 *
 * @param <R> the requests
 */
public final class Scheduler<R extends Request> {

  /**
   * What limits a step.
   *
   * @param stepTokens tokens of a step
   * @param running requests that run at the same time: outputs of a step
   * @param contextTokens tokens of a text that can be in the cache
   * @param stepNanos how long a step with decoding requests should take at most, for the sake of
   *     prompts
   */
  public record Limits(int stepTokens, int running, int contextTokens, long stepNanos) {}

  private KvCache cache;
  private final Limits limits;
  private StepTimes times = new StepTimes();
  private final List<R> waiting = new ArrayList<>(); // highest priority first, then longest
  private final List<R> running = new ArrayList<>(); // longest first
  private final Set<Context> resting = new LinkedHashSet<>(); // with a cache; longest first
  private final List<R> suspects = new ArrayList<>(); // one of them made a step fail

  // The step.
  private final List<R> members = new ArrayList<>();
  private final int[] counts;
  private int decodes;
  private int promptTokens;

  public Scheduler(KvCache cache, Limits limits) {
    this.cache = cache;
    this.limits = limits;
    counts = new int[limits.running()];
  }

  /** Takes a request; its context has something pending, and fits into the cache alone. */
  public void submit(R request) {
    request.submitted();
    int place = waiting.size();
    while (place > 0 && waiting.get(place - 1).priority() < request.priority()) {
      place--;
    }
    waiting.add(place, request);
    if (resting.remove(request.context())) {
      resting.add(request.context()); // the last to be taken away
    }
  }

  /** Ends a request, whether it runs or waits. What its context has in the cache stays there. */
  public void end(R request) {
    suspects.remove(request);
    if ((running.remove(request) | waiting.remove(request))
        && request.context().sequence().blockCount() > 0) {
      resting.add(request.context());
    }
  }

  /** Forgets a text that rests. */
  public void forget(Context context) {
    cache.release(context.sequence());
    context.publish();
    resting.remove(context);
  }

  /** Puts together the next step: {@link #members}. False if there is nothing to compute. */
  public boolean plan() {
    admit();
    members.clear();
    decodes = 0;
    promptTokens = 0;
    if (!planAlone()) {
      planDecoding();
      planPrompts();
    }
    return !members.isEmpty();
  }

  /** Requests in the step. */
  public int members() {
    return members.size();
  }

  public R member(int index) {
    return members.get(index);
  }

  /** How many tokens a member reads in the step: the next ones of its context. */
  public int count(int index) {
    return counts[index];
  }

  /** The step ran and took so long. */
  public void ran(long nanos) {
    times.ran(decodes, promptTokens, nanos);
  }

  /**
   * The step failed. If several requests are in it, they run one by one in the next steps, so that
   * the one at fault fails alone.
   *
   * @return whether the failure is that of the only member
   */
  public boolean failed() {
    if (members.size() == 1) {
      return true;
    }
    suspects.addAll(members);
    return false;
  }

  /**
   * What was in the cache is lost, and steps run elsewhere, with another cache: all texts are read
   * again.
   *
   * @param other of as many blocks, all free
   */
  public void moveTo(KvCache other) {
    running.forEach(request -> resting.add(request.context()));
    for (Context context : resting) {
      cache.release(context.sequence());
      context.publish();
    }
    resting.clear();
    cache = other;
    times = new StepTimes();
  }

  /** How many requests run: they have the room that they may come to need. */
  public int running() {
    return running.size();
  }

  /** How many requests wait for room. */
  public int waiting() {
    return waiting.size();
  }

  /** Requests that were submitted and have not ended. */
  public List<R> requests() {
    List<R> all = new ArrayList<>(running);
    all.addAll(waiting);
    return all;
  }

  private void admit() {
    for (int i = nextWaiting(); i >= 0; i = nextWaiting()) {
      R next = waiting.get(i);
      if (running.size() == limits.running() || !makeRoom(next)) {
        if (!setAside()) {
          return; // nobody overtakes, or what needs much room would wait for ever
        }
      } else {
        waiting.remove(i);
        resting.remove(next.context());
        running.add(next);
      }
    }
  }

  /** The first that waits for room, and not for something else; -1 if there is none. */
  private int nextWaiting() {
    for (int i = 0; i < waiting.size(); i++) {
      if (waiting.get(i).isReady()) {
        return i;
      }
    }
    return -1;
  }

  /** Lets the newest of those who run, but cannot, wait: others need its room. */
  private boolean setAside() {
    for (int i = running.size() - 1; i >= 0; i--) {
      R request = running.get(i);
      if (!request.isReady()) {
        running.remove(i);
        suspects.remove(request);
        waitAgain(request);
        if (request.context().sequence().blockCount() > 0) {
          resting.add(request.context());
        }
        return true;
      }
    }
    return false;
  }

  /** Before its equals: it was there before them. */
  private void waitAgain(R request) {
    int place = 0;
    while (place < waiting.size() && waiting.get(place).priority() > request.priority()) {
      place++;
    }
    waiting.add(place, request);
  }

  /** Takes away caches until there is room for a request; none if that would not suffice. */
  private boolean makeRoom(R request) {
    int missing = promised(request) - cache.freeBlocks();
    int takeable = 0;
    for (R other : running) {
      missing += promised(other);
    }
    for (Context other : resting) {
      takeable += other == request.context() ? 0 : other.sequence().blockCount();
    }
    if (missing > takeable) {
      return false;
    }
    Iterator<Context> others = resting.iterator();
    while (missing > 0) {
      Context other = others.next();
      if (other != request.context()) {
        missing -= other.sequence().blockCount();
        cache.release(other.sequence());
        other.publish();
        others.remove();
      }
    }
    return true;
  }

  /** Blocks that a request may still take. */
  private int promised(R request) {
    int longest = (int) Math.min(limits.contextTokens(), request.longest());
    return Math.max(0, KvCache.blocksFor(longest) - request.context().sequence().blockCount());
  }

  private void planDecoding() {
    for (int i = 0; i < running.size(); i++) {
      R request = running.get(i);
      if (request.context().pending() == 1 && canRun(request)) {
        add(request, 1);
        decodes++;
      }
    }
  }

  private void planPrompts() {
    int left = limits.stepTokens() - decodes;
    if (decodes > 0) {
      left = Math.min(left, times.promptTokensWithin(limits.stepNanos()));
    }
    for (int i = 0; i < running.size() && left > 0; i++) {
      R request = running.get(i);
      int pending = request.context().pending();
      if (pending > 1 && canRun(request)) {
        int count = Math.min(pending, left);
        add(request, count);
        promptTokens += count;
        left -= count;
      }
    }
  }

  private boolean planAlone() {
    for (int i = 0; i < suspects.size(); i++) {
      R request = suspects.get(i);
      if (request.isReady()) {
        suspects.remove(i);
        add(request, Math.min(request.context().pending(), limits.stepTokens()));
        promptTokens = counts[0];
        return true;
      }
    }
    return false;
  }

  private boolean canRun(R request) {
    return request.isReady() && !suspects.contains(request);
  }

  private void add(R request, int count) {
    counts[members.size()] = count;
    members.add(request);
  }
}
