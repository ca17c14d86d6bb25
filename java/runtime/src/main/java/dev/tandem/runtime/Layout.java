package dev.tandem.runtime;

/** How the rows of a weight matrix lie in memory. */
public enum Layout {
  /** As in the file: row after row. */
  PLAIN(Native.TD_PLAIN),
  /** 16 rows interleaved, block by block: what the kernels like. */
  TILES(Native.TD_TILES);

  private final int code;

  Layout(int code) {
    this.code = code;
  }

  int code() {
    return code;
  }
}
