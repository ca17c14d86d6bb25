package dev.tandem.model.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Puts a file together byte by byte, right or wrong, without the writer that is under test. */
final class RawGguf {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

  /** A file of version 3 with these counts. */
  static RawGguf of(long tensors, long pairs) {
    return new RawGguf().ascii("GGUF").u32(3).u64(tensors).u64(pairs);
  }

  RawGguf ascii(String text) {
    bytes.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
    return this;
  }

  RawGguf raw(int... values) {
    for (int value : values) {
      bytes.write(value);
    }
    return this;
  }

  RawGguf u32(int value) {
    bytes.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
    return this;
  }

  RawGguf u64(long value) {
    bytes.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
    return this;
  }

  RawGguf text(String text) {
    return u64(text.length()).ascii(text);
  }

  /** A pair of the type uint32. */
  RawGguf pair(String key, int value) {
    return text(key).u32(GgufType.UINT32.id()).u32(value);
  }

  /** An entry of the tensor directory. */
  RawGguf tensor(String name, int type, long offset, long... shape) {
    text(name).u32(shape.length);
    for (long extent : shape) {
      u64(extent);
    }
    return u32(type).u64(offset);
  }

  /** Zeros up to a multiple of {@code alignment}, then {@code length} more. */
  RawGguf data(int alignment, int length) {
    int padding = Math.floorMod(-bytes.size(), alignment);
    bytes.writeBytes(new byte[padding + length]);
    return this;
  }

  int size() {
    return bytes.size();
  }

  byte[] bytes() {
    return bytes.toByteArray();
  }
}
