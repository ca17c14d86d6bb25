package dev.tandem.model.gguf;

import dev.tandem.model.format.LittleEndian;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Reads the header of a file from its beginning to its end, once, by large reads, and checks every
 * step against the bytes that remain. Before a value is read, {@link #at} says what it is, so that
 * every error names it.
 */
final class HeaderReader {
  /**
   * The largest header that is read: metadata and tensor directory together. The largest vocabulary
   * in use takes 16 MiB. It bounds what a hostile file can make us allocate.
   */
  static final long LARGEST_HEADER = 256L << 20;

  private static final int BUFFER = 256 << 10;

  private final Path file;
  private final SeekableByteChannel channel;
  private final long size;
  private final byte[] buffer;
  private long bufferStart;
  private int next;
  private int filled;
  private String field = "header";
  private long element = -1;
  private long fieldStart;

  /** A reader of a channel that stands at byte 0 of a file of {@code size} bytes. */
  HeaderReader(Path file, SeekableByteChannel channel, long size) {
    this.file = file;
    this.channel = channel;
    this.size = size;
    this.buffer = new byte[(int) Math.min(BUFFER, Math.max(size, Long.BYTES))];
  }

  /** Says what comes next. */
  void at(String name) {
    field = name;
    element = -1;
    fieldStart = position();
  }

  /** Says that element {@code index} of the current field comes next. */
  private void atElement(long index) {
    element = index;
    fieldStart = position();
  }

  /** The problem of the current field, which began where {@link #at} was called. */
  ModelFormatException problem(String problem) {
    String name = element < 0 ? field : field + "[" + element + "]";
    return new ModelFormatException(file, fieldStart, name, problem);
  }

  long position() {
    return bufferStart + next;
  }

  /** The bytes of the file that are not yet read. */
  long remaining() {
    return size - position();
  }

  byte u8() throws IOException {
    require(1);
    return buffer[next++];
  }

  int u32() throws IOException {
    require(Integer.BYTES);
    int value = LittleEndian.getInt(buffer, next);
    next += Integer.BYTES;
    return value;
  }

  long u64() throws IOException {
    require(Long.BYTES);
    long value = LittleEndian.getLong(buffer, next);
    next += Long.BYTES;
    return value;
  }

  /** The next {@code length} bytes, or fewer where the file ends before; nothing is consumed. */
  byte[] peek(int length) throws IOException {
    int available = (int) Math.min(length, remaining());
    require(available);
    byte[] bytes = new byte[available];
    System.arraycopy(buffer, next, bytes, 0, available);
    return bytes;
  }

  /**
   * A count of things that take at least {@code bytesEach} in the file.
   *
   * @throws ModelFormatException if it is larger than {@code largest}, or than the file can hold
   */
  int count(String things, long bytesEach, int largest) throws IOException {
    long count = u64();
    if (count < 0 || count > largest) {
      throw problem(
          Long.toUnsignedString(count) + " " + things + " are absurd; the limit is " + largest);
    }
    if (count > remaining() / bytesEach) {
      throw problem(
          count
              + " "
              + things
              + " need at least "
              + count * bytesEach
              + " bytes, but only "
              + remaining()
              + " remain: the file is truncated or damaged");
    }
    return (int) count;
  }

  /** A text with its length before it, which must be UTF-8. */
  String text(int longest) throws IOException {
    byte[] bytes = bytes(length(longest));
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw problem("is not valid UTF-8");
    }
  }

  /** A table of byte strings, each with its length before it. */
  StringTable texts(int count) throws IOException {
    long lengths = (long) Long.BYTES * count;
    checkAvailable(lengths);
    long most = Math.min(remaining(), LARGEST_HEADER - position()) - lengths;
    StringTable.Builder table = new StringTable.Builder(count, (int) Math.min(most, 16L * count));
    for (int i = 0; i < count; i++) {
      atElement(i);
      int length = length(Integer.MAX_VALUE);
      copy(table.room(length), table.end(), length);
      table.add(length);
    }
    element = -1;
    return table.build();
  }

  /** The next bytes. */
  byte[] bytes(int length) throws IOException {
    checkAvailable(length);
    byte[] bytes = new byte[length];
    copy(bytes, 0, length);
    return bytes;
  }

  private int length(int longest) throws IOException {
    long length = u64();
    if (length < 0 || length > longest) {
      throw problem(
          "a length of "
              + Long.toUnsignedString(length)
              + " bytes is absurd; the limit is "
              + longest);
    }
    checkAvailable(length);
    return (int) length;
  }

  private void copy(byte[] target, int at, int length) throws IOException {
    int copied = 0;
    while (copied < length) {
      require(1);
      int part = Math.min(length - copied, filled - next);
      System.arraycopy(buffer, next, target, at + copied, part);
      next += part;
      copied += part;
    }
  }

  private void checkAvailable(long length) {
    if (length > remaining()) {
      throw truncated(length);
    }
    checkHeaderSize(length);
  }

  private void checkHeaderSize(long length) {
    if (length > LARGEST_HEADER - position()) {
      throw problem("the header is larger than the limit of " + LARGEST_HEADER + " bytes");
    }
  }

  private ModelFormatException truncated(long length) {
    return problem(
        "the file is truncated: " + length + " more bytes are needed, but it ends at byte " + size);
  }

  /** Makes the next {@code length} bytes, at most a number's size, available in the buffer. */
  private void require(int length) throws IOException {
    if (filled - next >= length) {
      return;
    }
    checkAvailable(length);
    System.arraycopy(buffer, next, buffer, 0, filled - next);
    bufferStart += next;
    filled -= next;
    next = 0;
    ByteBuffer target = ByteBuffer.wrap(buffer);
    target.position(filled);
    while (target.position() < length) {
      if (channel.read(target) < 0) {
        throw problem("the file became shorter while it was read");
      }
    }
    filled = target.position();
  }
}
