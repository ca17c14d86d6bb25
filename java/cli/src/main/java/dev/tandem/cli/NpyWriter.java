package dev.tandem.cli;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes a float32 matrix in NumPy's format (version 1.0), row by row. */
final class NpyWriter implements AutoCloseable {

  private static final int HEADER_BYTES = 128;
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};

  private final OutputStream out;
  private final byte[] row;

  NpyWriter(Path file, int rows, int columns) {
    String description =
        "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }".formatted(rows, columns);
    int length = HEADER_BYTES - MAGIC.length - 2;
    String padded = description + " ".repeat(length - 1 - description.length()) + "\n";
    row = new byte[4 * columns];
    try {
      out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 16);
      out.write(MAGIC);
      out.write(length & 255);
      out.write(length >> 8);
      out.write(padded.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Writes a row: float32, little-endian, from the start of the buffer. */
  void write(ByteBuffer values) {
    values.get(0, row);
    try {
      out.write(row);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      out.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
