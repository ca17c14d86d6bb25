package dev.tandem.runtime;

/** What a draw from a whole row of logits is told; see {@code td_pick_setting} in tandem.h. */
public enum PickSetting {
  /** Keep so many of the best; 0 = all. */
  TOP_K(Native.TD_PICK_TOP_K),
  /** Keep the most typical ones up to this probability; from 1 on = all. */
  TYPICAL(Native.TD_PICK_TYPICAL),
  /** Keep the best ones up to this probability; from 1 on = all. */
  TOP_P(Native.TD_PICK_TOP_P),
  /** Keep what has at least this part of the best one's probability; 0 = all. */
  MIN_P(Native.TD_PICK_MIN_P),
  /** The logits' factor: finite, not negative. */
  INVERSE_TEMPERATURE(Native.TD_PICK_INVERSE_TEMPERATURE),
  /** The random number, from 0 to below 1. */
  UNIFORM(Native.TD_PICK_UNIFORM);

  /** How many there are. */
  public static final int COUNT = Native.TD_PICK_SETTINGS;

  private final int place;

  PickSetting(int place) {
    this.place = place;
  }

  /** Where it stands in the row of a draw. */
  public int place() {
    return place;
  }
}
