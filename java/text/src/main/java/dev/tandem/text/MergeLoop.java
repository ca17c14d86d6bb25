package dev.tandem.text;

import java.util.Arrays;

/**
 * The symbols of a word, and the loop that merges neighbours: always the best pair of all, of
 * equally good ones the leftmost, until no pair can be merged.
 *
 * <p>The pairs wait in a heap; one that has changed since it was put there is recognised by its
 * rank and skipped. So a word of n symbols takes n log n steps, not n². The arrays are reused: one
 * loop serves one thread for as many words as it likes.
 */
final class MergeLoop {
  /** Says that two symbols cannot be merged. */
  static final long NO_MERGE = -1;

  /** Decides which pairs can be merged, and which first. */
  interface Ranking {
    /** The rank (least first) and token of the merged pair, as {@link #merge}, or NO_MERGE. */
    long rank(MergeLoop symbols, int left, int right);
  }

  private int count;
  private int[] token = new int[64];
  private int[] from = new int[64];
  private int[] to = new int[64];
  private int[] previous = new int[64];
  private int[] next = new int[64];

  /** The merge of each symbol with its right neighbour. */
  private long[] merge = new long[64];

  private int heapSize;
  private long[] heap = new long[64];

  /** A merge with this rank into this token. */
  static long merge(int rank, int token) {
    return (long) rank << 32 | token;
  }

  /** Forgets all symbols. */
  void clear() {
    count = 0;
  }

  /** Appends a symbol: its token, or -1 if it has none, and the bytes it stands for. */
  void add(int symbolToken, int fromByte, int toByte) {
    if (count == token.length) {
      grow();
    }
    token[count] = symbolToken;
    from[count] = fromByte;
    to[count] = toByte;
    previous[count] = count - 1;
    next[count] = count + 1;
    count++;
  }

  /** The first symbol, always there unless nothing was added. */
  int first() {
    return 0;
  }

  /** Whether this is a symbol, and not the place after the last. */
  boolean has(int symbol) {
    return symbol < count;
  }

  int next(int symbol) {
    return next[symbol];
  }

  int token(int symbol) {
    return token[symbol];
  }

  int from(int symbol) {
    return from[symbol];
  }

  int to(int symbol) {
    return to[symbol];
  }

  /** Merges what can be merged. */
  void run(Ranking ranking) {
    heapSize = 0;
    if (heap.length < count) {
      heap = new long[token.length];
    }
    for (int symbol = 0; symbol < count; symbol++) {
      merge[symbol] = rank(ranking, symbol);
      if (merge[symbol] != NO_MERGE) {
        heap[heapSize++] = waiting(symbol);
      }
    }
    for (int i = heapSize / 2 - 1; i >= 0; i--) {
      siftDown(i);
    }
    while (heapSize > 0) {
      long best = pop();
      int left = (int) best;
      if (merge[left] == NO_MERGE || waiting(left) != best) {
        continue; // changed since
      }
      int right = next[left];
      token[left] = (int) merge[left];
      to[left] = to[right];
      next[left] = next[right];
      if (has(next[left])) {
        previous[next[left]] = left;
      }
      merge[right] = NO_MERGE;
      update(ranking, left);
      if (previous[left] >= 0) {
        update(ranking, previous[left]);
      }
    }
  }

  private void update(Ranking ranking, int symbol) {
    merge[symbol] = rank(ranking, symbol);
    if (merge[symbol] != NO_MERGE) {
      push(waiting(symbol));
    }
  }

  private long rank(Ranking ranking, int symbol) {
    return has(next[symbol]) ? ranking.rank(this, symbol, next[symbol]) : NO_MERGE;
  }

  /** What waits in the heap: the rank, and the symbol for equal ranks. */
  private long waiting(int symbol) {
    return merge[symbol] & 0xFFFF_FFFF_0000_0000L | symbol;
  }

  private void push(long value) {
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, 2 * heapSize);
    }
    int i = heapSize++;
    while (i > 0 && heap[(i - 1) / 2] > value) {
      heap[i] = heap[(i - 1) / 2];
      i = (i - 1) / 2;
    }
    heap[i] = value;
  }

  private long pop() {
    long top = heap[0];
    heap[0] = heap[--heapSize];
    siftDown(0);
    return top;
  }

  private void siftDown(int start) {
    long value = heap[start];
    int i = start;
    for (int child = 2 * i + 1; child < heapSize; child = 2 * i + 1) {
      if (child + 1 < heapSize && heap[child + 1] < heap[child]) {
        child++;
      }
      if (heap[child] >= value) {
        break;
      }
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = value;
  }

  private void grow() {
    int length = Math.multiplyExact(2, count);
    token = Arrays.copyOf(token, length);
    from = Arrays.copyOf(from, length);
    to = Arrays.copyOf(to, length);
    previous = Arrays.copyOf(previous, length);
    next = Arrays.copyOf(next, length);
    merge = Arrays.copyOf(merge, length);
  }
}
