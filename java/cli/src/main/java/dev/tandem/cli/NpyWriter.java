package dev.tandem.cli;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Writes a float32 matrix in NumPy's format, version 1.0, row by row. A file that was not written
 * to its last row is deleted, also if the process is interrupted: nobody should take it for the
 * result.
 *
 * <pre>
 *   93 "NUMPY" 1 0 | length of the header (2 bytes) | header: a Python dictionary, spaces, line feed | rows
 * </pre>
 */
final class NpyWriter implements AutoCloseable {

  private static final int HEADER_BYTES = 128;
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

  private final Path file;
  private final OutputStream out;
  private final byte[] row;
  private final AtExit atExit = new AtExit(this::deleteIncomplete);
  private volatile int rowsLeft;

  /**
   * Creates or overwrites a file.
   *
   * @throws Failure if it cannot be written
   */
  NpyWriter(Path file, int rows, int columns) {
    this.file = file;
    rowsLeft = rows;
    row = new byte[4 * columns];
    try {
      out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
      out.write(header(rows, columns));
    } catch (IOException e) {
      atExit.close();
      throw Failure.of(file, e);
    }
  }

  private static byte[] header(int rows, int columns) {
    String description =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }".formatted(rows, columns);
    int length = HEADER_BYTES - MAGIC.length - 2;
    String padded = description + " ".repeat(length - 1 - description.length()) + "\n";
    return ByteBuffer.allocate(HEADER_BYTES)
        .put(MAGIC)
        .put((byte) length)
        .put((byte) (length >> 8))
        .put(padded.getBytes(StandardCharsets.US_ASCII))
        .array();
  }

  /** Writes a row: float32, little-endian, from the start of the buffer. */
  void write(ByteBuffer values) {
    values.get(0, row);
    try {
      out.write(row);
      rowsLeft--;
    } catch (IOException e) {
      throw Failure.of(file, e);
    }
  }

  @Override
  public void close() {
    atExit.close();
    try {
      out.close();
    } catch (IOException e) {
      throw Failure.of(file, e);
    } finally {
      deleteIncomplete();
    }
  }

  private void deleteIncomplete() {
    if (rowsLeft > 0 && Files.isRegularFile(file)) {
      try {
        Files.delete(file);
      } catch (IOException e) {
        // It stays; the command fails anyway.
      }
    }
  }
}
