package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class JsonTextTest {

  @Test
  void whatIsWrittenIsRead() {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    for (int i = 0; i < 2000; i++) {
      StringBuilder text = new StringBuilder();
      for (int length = random.nextInt(20); length > 0; length--) {
        int most = random.nextBoolean() ? 0x80 : 0x110000;
        int c = random.nextInt(most);
        text.appendCodePoint(c >= 0xD800 && c < 0xE000 ? '"' : c);
      }
      byte[] utf8 = text.toString().getBytes(StandardCharsets.UTF_8);
      ByteBuf out = Unpooled.buffer();
      JsonText.write(utf8, utf8.length, out);
      String json = out.toString(StandardCharsets.UTF_8);
      assertEquals(
          text.toString(),
          CompletionsTest.json("[" + json + "]").get(0).textValue(),
          "seed " + seed);
    }
  }
}
