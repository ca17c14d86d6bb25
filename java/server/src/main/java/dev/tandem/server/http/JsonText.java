package dev.tandem.server.http;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;

/** Writes text as a JSON string, without making a string of it. */
final class JsonText {

  private static final byte[] HEX = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

  private JsonText() {}

  /** Writes the text with its quotation marks. */
  static void write(byte[] utf8, int length, ByteBuf out) {
    out.writeByte('"');
    int plain = 0; // from here on, not written yet
    for (int i = 0; i < length; i++) {
      byte b = utf8[i];
      if (b >= 0 && b < ' ' || b == '"' || b == '\\') {
        out.writeBytes(utf8, plain, i - plain);
        escape(b, out);
        plain = i + 1;
      }
    }
    out.writeBytes(utf8, plain, length - plain);
    out.writeByte('"');
  }

  private static void escape(byte b, ByteBuf out) {
    out.writeByte('\\');
    switch (b) {
      case '"', '\\' -> out.writeByte(b);
      case '\n' -> out.writeByte('n');
      case '\r' -> out.writeByte('r');
      case '\t' -> out.writeByte('t');
      default -> {
        out.writeByte('u').writeByte('0').writeByte('0');
        out.writeByte(HEX[b >> 4]).writeByte(HEX[b & 15]);
      }
    }
  }
}
