package dev.tandem.engine.program;

import java.util.ArrayList;
import java.util.List;

/**
 * Places short-lived arrays in one piece of memory: what is no longer needed makes room for what
 * comes. First fit over the list of what is in use; the number of arrays alive at a time is small.
 */
final class ScratchPlan {

  private static final long ALIGNMENT = 64;

  /** A place in the scratch memory. */
  record Place(long offset, long bytes) {
    long end() {
      return offset + bytes;
    }
  }

  private final List<Place> used = new ArrayList<>(); // by offset
  private long peak;

  Place take(long bytes) {
    long rounded = Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    long offset = 0;
    int index = 0;
    while (index < used.size() && used.get(index).offset() - offset < rounded) {
      offset = used.get(index++).end();
    }
    Place place = new Place(offset, rounded);
    used.add(index, place);
    peak = Math.max(peak, place.end());
    return place;
  }

  void give(Place place) {
    if (!used.remove(place)) {
      throw new IllegalStateException(place + " is not in use");
    }
  }

  /** Bytes that all places need. */
  long peak() {
    return peak;
  }
}
