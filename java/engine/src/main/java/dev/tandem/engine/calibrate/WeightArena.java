package dev.tandem.engine.calibrate;

import dev.tandem.model.format.RandomBits;
import dev.tandem.model.format.RandomBlocks;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.ProgramWriter;
import dev.tandem.runtime.WeightFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Random weights of one format and row length, in tiles. Matrices of any number of rows are windows
 * on it, one behind the other, so that each call of a kernel reads weights that no call before it
 * has read for a long time.
 */
final class WeightArena implements AutoCloseable {

  private static final int TILE_ROWS = 16;
  private static final int STRIP_BYTES = 4 << 20;
  private static final int CACHE_LINE = 64;

  private final ElementType type;
  private final int columns;
  private final DeviceBuffer buffer;
  private long next;

  /**
   * Random weights.
   *
   * @param bytes at least so many
   */
  WeightArena(Device device, ElementType type, int columns, long bytes) {
    this.type = type;
    this.columns = columns;
    long tile = type.bytes(Layout.TILES, TILE_ROWS, columns);
    int stripTiles = (int) Math.max(1, STRIP_BYTES / tile);
    long strip = tile * stripTiles;
    long strips = Math.ceilDiv(bytes, strip);
    buffer = device.allocate(strips * strip);
    try {
      fillStrip(stripTiles * TILE_ROWS);
      ByteBuffer copy = ByteBuffer.allocateDirect(Math.toIntExact(strip));
      buffer.read(0, copy);
      for (long i = 1; i < strips; i++) {
        buffer.write(i * strip, copy.rewind());
      }
    } catch (RuntimeException e) {
      buffer.close();
      throw e;
    }
  }

  /** Through a file: laying out tiles is what the library does while it reads one. */
  private void fillStrip(int rows) {
    TensorType format = TensorType.ofId(type.code()).orElseThrow();
    byte[] blocks = new byte[Math.toIntExact(rows * format.rowBytes(columns))];
    RandomBits random = new RandomBits(1, type.name());
    new RandomBlocks(format, 1 / Math.sqrt(columns), random).fill(blocks, 0, blocks.length);
    try {
      Path file = Files.createTempFile("tandem-weights-", ".bin");
      try {
        Files.write(file, blocks);
        try (WeightFile weights = WeightFile.open(file)) {
          buffer.load(0, weights, 0, type, rows, columns, type, Layout.TILES);
        }
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException("a temporary file for random weights: " + e.getMessage(), e);
    }
  }

  /** Bytes from the start of a matrix of so many rows to the start of the next. */
  static long stride(ElementType type, int rows, int columns) {
    long bytes = type.bytes(Layout.TILES, rows, columns);
    long tile = type.bytes(Layout.TILES, TILE_ROWS, columns);
    while (bytes % CACHE_LINE != 0) {
      bytes += tile;
    }
    return bytes;
  }

  /** How many matrices of so many rows lie in it without sharing bytes. */
  long matrices(int rows) {
    return Math.max(1, buffer.bytes() / stride(type, rows, columns));
  }

  /** Declares the matrix behind the one that was declared last. */
  ProgramWriter.Tensor next(ProgramWriter program, Layout layout, int rows) {
    long stride = stride(type, rows, columns);
    if (next + stride > buffer.bytes()) {
      next = 0;
    }
    ProgramWriter.Tensor matrix = program.tensor(buffer, next, type, layout, rows, columns);
    next += stride;
    return matrix;
  }

  long bytes() {
    return buffer.bytes();
  }

  @Override
  public void close() {
    buffer.close();
  }
}
