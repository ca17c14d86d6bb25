package dev.tandem.model.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SeekableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;

/** A file that exists in memory only, for tests that open very many. */
final class MemoryChannel implements SeekableByteChannel {
  /** What errors call such a file. */
  static final Path NAME = Path.of("memory.gguf");

  private final ByteBuffer content;

  private MemoryChannel(byte[] content) {
    this.content = ByteBuffer.wrap(content);
  }

  /** Opens the model that these bytes are. */
  static GgufFile open(byte[] content) {
    try {
      return GgufFile.read(NAME, new MemoryChannel(content));
    } catch (IOException e) {
      throw new AssertionError("memory cannot fail", e);
    }
  }

  /** The bytes that a writer makes. */
  static byte[] written(GgufWriter writer) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (WritableByteChannel channel = Channels.newChannel(bytes)) {
      writer.write(channel);
    } catch (IOException e) {
      throw new AssertionError("memory cannot fail", e);
    }
    return bytes.toByteArray();
  }

  @Override
  public int read(ByteBuffer target) {
    if (!content.hasRemaining()) {
      return -1;
    }
    int length = Math.min(target.remaining(), content.remaining());
    target.put(content.slice(content.position(), length));
    content.position(content.position() + length);
    return length;
  }

  @Override
  public int write(ByteBuffer source) {
    throw new UnsupportedOperationException("for reading only");
  }

  @Override
  public long position() {
    return content.position();
  }

  @Override
  public SeekableByteChannel position(long newPosition) {
    content.position((int) newPosition);
    return this;
  }

  @Override
  public long size() {
    return content.capacity();
  }

  @Override
  public SeekableByteChannel truncate(long size) {
    throw new UnsupportedOperationException("for reading only");
  }

  @Override
  public boolean isOpen() {
    return true;
  }

  @Override
  public void close() {}
}
