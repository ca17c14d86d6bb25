package dev.tandem.engine.sample;

/** The last tokens of a text, as the different ones among them and how often each is there. */
final class RecentTokens {

  private final int[] window; // a ring
  private int next;
  private int length;

  // In no order. Few enough to be searched from end to end.
  private final int[] ids;
  private final int[] counts;
  private int distinct;

  /** Keeps so many. */
  RecentTokens(int tokens) {
    window = new int[tokens];
    ids = new int[tokens];
    counts = new int[tokens];
  }

  /** The text goes on. */
  void add(int token) {
    if (window.length == 0) {
      return;
    }
    if (length == window.length) {
      forget(window[next]);
    } else {
      length++;
    }
    window[next] = token;
    next = next + 1 == window.length ? 0 : next + 1;
    int place = placeOf(token);
    if (place == distinct) {
      ids[distinct] = token;
      counts[distinct++] = 0;
    }
    counts[place]++;
  }

  /** How many different tokens there are. */
  int distinct() {
    return distinct;
  }

  int id(int place) {
    return ids[place];
  }

  /** How often it is there; at least once. */
  int count(int place) {
    return counts[place];
  }

  private void forget(int token) {
    int place = placeOf(token);
    if (--counts[place] == 0) {
      distinct--;
      ids[place] = ids[distinct];
      counts[place] = counts[distinct];
    }
  }

  private int placeOf(int token) {
    int place = 0;
    while (place < distinct && ids[place] != token) {
      place++;
    }
    return place;
  }
}
