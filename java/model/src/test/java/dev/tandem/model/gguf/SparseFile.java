package dev.tandem.model.gguf;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * Writes a model of any size that takes hardly any disk, if its weights are zero: runs of zeros
 * become holes of the file.
 */
public final class SparseFile {
  private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(1 << 20).asReadOnlyBuffer();

  private SparseFile() {}

  /** Writes what a writer holds to a new file. */
  public static void write(GgufWriter writer, Path file) {
    try (FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      writer.write(new Holes(channel));
      if (channel.position() > 0) {
        channel.write(ByteBuffer.allocate(1), channel.position() - 1); // the last may be a hole
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private record Holes(FileChannel file) implements WritableByteChannel {
    @Override
    public int write(ByteBuffer source) throws IOException {
      if (!isZero(source)) {
        return file.write(source);
      }
      int skipped = source.remaining();
      file.position(file.position() + skipped);
      source.position(source.limit());
      return skipped;
    }

    private static boolean isZero(ByteBuffer bytes) {
      return bytes.remaining() <= ZEROS.capacity()
          && bytes.equals(ZEROS.duplicate().limit(bytes.remaining()));
    }

    @Override
    public boolean isOpen() {
      return file.isOpen();
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
