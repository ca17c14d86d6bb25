package dev.tandem.reference;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads matrices of float32 in NumPy's file format, version 1. */
public final class Npy {

  private static final int PREAMBLE_BYTES = 10; // magic, version, length of the header
  private static final Pattern SHAPE = Pattern.compile("'shape': \\((\\d+), (\\d+)\\)");

  private Npy() {}

  /**
   * The matrix of a file, {@code [rows][columns]}.
   *
   * @throws IllegalArgumentException if it is of another type or shape
   */
  public static double[][] read(Path file) {
    ByteBuffer bytes;
    try {
      bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    int headerBytes = bytes.getShort(PREAMBLE_BYTES - 2);
    String header =
        new String(bytes.array(), PREAMBLE_BYTES, headerBytes, StandardCharsets.US_ASCII);
    Matcher shape = SHAPE.matcher(header);
    if (!header.contains("'<f4'") || !header.contains("'fortran_order': False") || !shape.find()) {
      throw new IllegalArgumentException(file + ": no matrix of float32: " + header);
    }
    double[][] rows = new double[Integer.parseInt(shape.group(1))][];
    FloatBuffer values =
        bytes.position(PREAMBLE_BYTES + headerBytes).slice().order(bytes.order()).asFloatBuffer();
    for (int r = 0; r < rows.length; r++) {
      rows[r] = new double[Integer.parseInt(shape.group(2))];
      for (int c = 0; c < rows[r].length; c++) {
        rows[r][c] = values.get();
      }
    }
    return rows;
  }
}
