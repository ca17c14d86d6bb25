package dev.tandem.model.gguf;

import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue.ArrayValue;
import dev.tandem.model.gguf.GgufValue.BoolArray;
import dev.tandem.model.gguf.GgufValue.BoolValue;
import dev.tandem.model.gguf.GgufValue.Float32Array;
import dev.tandem.model.gguf.GgufValue.Float32Value;
import dev.tandem.model.gguf.GgufValue.Float64Array;
import dev.tandem.model.gguf.GgufValue.Float64Value;
import dev.tandem.model.gguf.GgufValue.IntArray;
import dev.tandem.model.gguf.GgufValue.IntValue;
import dev.tandem.model.gguf.GgufValue.TextArray;
import dev.tandem.model.gguf.GgufValue.TextValue;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Lays a header out in memory, as {@link GgufPart} describes it. */
final class HeaderWriter {
  private static final int VERSION = 3;

  private ByteBuffer buffer = ByteBuffer.allocate(1 << 16).order(ByteOrder.LITTLE_ENDIAN);

  void preamble(int tensors, int pairs) {
    room(24).put("GGUF".getBytes(StandardCharsets.US_ASCII)).putInt(VERSION);
    buffer.putLong(tensors).putLong(pairs);
  }

  void pair(String key, GgufValue value) {
    text(key);
    room(Integer.BYTES).putInt(value.type().id());
    switch (value) {
      case IntValue number -> integer(number.type(), number.value());
      case Float32Value number -> room(Float.BYTES).putInt(Float.floatToRawIntBits(number.value()));
      case Float64Value number ->
          room(Double.BYTES).putLong(Double.doubleToRawLongBits(number.value()));
      case BoolValue bool -> room(1).put((byte) (bool.value() ? 1 : 0));
      case TextValue text -> text(text.value());
      case ArrayValue array -> array(array);
    }
  }

  void tensor(String name, TensorType type, List<Long> shape, long offset) {
    text(name);
    room(Integer.BYTES).putInt(shape.size());
    shape.forEach(extent -> room(Long.BYTES).putLong(extent));
    room(Integer.BYTES + Long.BYTES).putInt(type.id()).putLong(offset);
  }

  int size() {
    return buffer.position();
  }

  void writeTo(WritableByteChannel out) throws IOException {
    ByteBuffer header = buffer.duplicate().flip();
    while (header.hasRemaining()) {
      out.write(header);
    }
  }

  private void array(ArrayValue array) {
    room(Integer.BYTES + Long.BYTES).putInt(array.elementType().id()).putLong(array.size());
    switch (array) {
      case IntArray numbers -> room(numbers.littleEndian().length).put(numbers.littleEndian());
      case Float32Array numbers -> {
        room(Math.multiplyExact(numbers.size(), Float.BYTES));
        for (float number : numbers.values()) {
          buffer.putInt(Float.floatToRawIntBits(number));
        }
      }
      case Float64Array numbers -> {
        room(Math.multiplyExact(numbers.size(), Double.BYTES));
        for (double number : numbers.values()) {
          buffer.putLong(Double.doubleToRawLongBits(number));
        }
      }
      case BoolArray bools -> {
        room(bools.size());
        for (boolean bool : bools.values()) {
          buffer.put((byte) (bool ? 1 : 0));
        }
      }
      case TextArray texts -> {
        StringTable table = texts.values();
        for (int i = 0; i < table.size(); i++) {
          int length = table.end(i) - table.start(i);
          room(Long.BYTES + length).putLong(length).put(table.bytes(), table.start(i), length);
        }
      }
    }
  }

  private void integer(GgufType type, long value) {
    room(Long.BYTES);
    switch (type.bytes()) {
      case 1 -> buffer.put((byte) value);
      case 2 -> buffer.putShort((short) value);
      case 4 -> buffer.putInt((int) value);
      default -> buffer.putLong(value);
    }
  }

  private void text(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    room(Long.BYTES + bytes.length).putLong(bytes.length).put(bytes);
  }

  /** The buffer with room for as many bytes. */
  private ByteBuffer room(int bytes) {
    if (bytes > buffer.remaining()) {
      int capacity = Math.max(Math.addExact(buffer.position(), bytes), 2 * buffer.capacity());
      buffer = ByteBuffer.allocate(capacity).order(ByteOrder.LITTLE_ENDIAN).put(buffer.flip());
    }
    return buffer;
  }
}
