package dev.tandem.engine.program;

import dev.tandem.model.graph.Weight;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.WeightFile;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Brings weights to a device, stage after stage, on threads of its own: so steps can run meanwhile,
 * which await the stages that they need. A failure fails them.
 */
public final class WeightLoader implements AutoCloseable {

  /**
   * So many bytes of a file are loaded at a time: some milliseconds, after which closing is heard.
   */
  private static final long PIECE_BYTES = 4 << 20;

  private static final int TILE_ROWS = 16;
  private static final int FAILED = -1;

  /** Rows of a tensor; {@code bytes} in memory. */
  record Piece(
      int stage,
      WeightFile file,
      long fileOffset,
      ElementType type,
      long rows,
      long columns,
      long offset,
      ElementType target,
      Layout layout,
      long bytes) {}

  private final DeviceBuffer memory;
  private final DeviceBuffer count;
  private final List<Piece> pieces;
  private final WeightStore.Progress progress;
  private final List<Thread> threads = new ArrayList<>();
  private final int[] missing; // pieces per stage
  private final long totalBytes;
  private int next; // piece
  private int loadedStages;
  private long loadedBytes;
  private long ended;
  private volatile boolean closed; // known before it is the closer's turn
  private Optional<Throwable> failure = Optional.empty();
  private volatile boolean loaded;

  /**
   * Begins to load.
   *
   * @param count where programs find the number of stages that are loaded, an int32
   * @param pieces by their stages, which count from 1
   * @param progress hears of every piece, from the loading threads, one at a time; of the last one
   *     before steps can use it
   */
  WeightLoader(
      DeviceBuffer memory,
      DeviceBuffer count,
      List<Piece> pieces,
      int stages,
      int threadCount,
      WeightStore.Progress progress) {
    this.memory = memory;
    this.count = count;
    this.pieces = pieces;
    this.progress = progress;
    missing = new int[stages];
    pieces.forEach(piece -> missing[piece.stage() - 1]++);
    totalBytes = pieces.stream().mapToLong(Piece::bytes).sum();
    publish();
    for (int i = 0; i < Math.min(threadCount, pieces.size()); i++) {
      try {
        threads.add(Thread.ofPlatform().daemon().name("tandem-load-" + i).start(this::work));
      } catch (OutOfMemoryError e) { // the machine gives no more threads
        if (threads.isEmpty()) {
          throw e;
        }
        break; // not to be thrown: those that work would work on memory that is given back
      }
    }
  }

  /** A tensor in pieces, cut between tiles. */
  static List<Piece> pieces(
      int stage,
      WeightFile file,
      long fileOffset,
      ElementType type,
      Weight weight,
      long offset,
      ElementType target,
      Layout layout) {
    long columns = weight.columns();
    long tiles = PIECE_BYTES / type.bytes(Layout.PLAIN, TILE_ROWS, columns);
    long most = Math.max(1, tiles) * TILE_ROWS;
    List<Piece> pieces = new ArrayList<>();
    for (long row = 0; row < weight.rows(); row += most) {
      long rows = Math.min(most, weight.rows() - row);
      pieces.add(
          new Piece(
              stage,
              file,
              fileOffset + type.bytes(Layout.PLAIN, row, columns),
              type,
              rows,
              columns,
              offset + target.bytes(layout, row, columns),
              target,
              layout,
              target.bytes(layout, rows, columns)));
    }
    return pieces;
  }

  /** Whether all weights are there. */
  public boolean isLoaded() {
    return loaded;
  }

  /** {@link System#nanoTime()} when all weights were there; now, if they are not. */
  public synchronized long endedNanos() {
    return loaded ? ended : System.nanoTime();
  }

  /**
   * Waits until all weights are there.
   *
   * @throws dev.tandem.runtime.RuntimeFailure if they could not be loaded
   * @throws IllegalStateException if the model is closed meanwhile, or the thread interrupted
   */
  public synchronized void await() {
    while (!loaded && failure.isEmpty() && !closed) {
      try {
        wait();
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException("interrupted while the model was loaded", e);
      }
    }
    if (failure.isPresent()) {
      switch (failure.get()) {
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case Throwable e -> throw new IllegalStateException(e);
      }
    }
    if (!loaded) {
      throw new IllegalStateException("the model was closed while it was loaded");
    }
  }

  /** Ends loading at its next piece; when it returns, nobody writes to the memory any more. */
  @Override
  public void close() {
    closed = true;
    synchronized (this) {
      notifyAll();
    }
    boolean interrupted = false;
    for (Thread thread : threads) {
      while (thread.isAlive()) {
        try {
          thread.join();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  // ---- the loading threads ----

  private void work() {
    try {
      for (Optional<Piece> piece = take(); piece.isPresent(); piece = take()) {
        load(piece.get());
        finish(piece.get());
      }
    } catch (Throwable e) { // whatever it is: steps wait for it
      fail(e);
    }
  }

  private synchronized Optional<Piece> take() {
    return closed || failure.isPresent() || next == pieces.size()
        ? Optional.empty()
        : Optional.of(pieces.get(next++));
  }

  private void load(Piece piece) {
    memory.load(
        piece.offset(),
        piece.file(),
        piece.fileOffset(),
        piece.type(),
        piece.rows(),
        piece.columns(),
        piece.target(),
        piece.layout());
  }

  private synchronized void finish(Piece piece) {
    loadedBytes += piece.bytes();
    missing[piece.stage() - 1]--;
    progress.loaded(loadedBytes, totalBytes);
    if (failure.isEmpty()) {
      publish();
    }
  }

  /** Tells the programs how many stages, from the first on, are complete. */
  private synchronized void publish() {
    while (loadedStages < missing.length && missing[loadedStages] == 0) {
      loadedStages++;
    }
    count.publish(0, loadedStages);
    if (loadedStages == missing.length) {
      ended = System.nanoTime();
      loaded = true;
      notifyAll();
    }
  }

  private synchronized void fail(Throwable cause) {
    if (failure.isEmpty()) {
      failure = Optional.of(cause);
      count.publish(0, FAILED);
      notifyAll();
    }
  }
}
