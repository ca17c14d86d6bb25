package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MemoryNeedTest {

  @ParameterizedTest
  @CsvSource({
    "0, 0 bytes",
    "1023, 1023 bytes",
    "1024, 1.0 KiB",
    "1075, 1.0 KiB",
    "1076, 1.1 KiB",
    "1048524, 1023.9 KiB",
    "1048525, 1.0 MiB",
    "1048576, 1.0 MiB",
    "7025459, 6.7 MiB",
    "1610612736, 1.5 GiB",
    "1099511627776, 1.0 TiB",
    "9223372036854775807, 8388608.0 TiB"
  })
  void bytesHaveOneDigitAndAUnit(long bytes, String text) {
    assertEquals(text, MemoryNeed.text(bytes));
  }

  @Test
  void tellsItsParts() {
    assertEquals(
        "3.5 KiB (weights 2.0 KiB, KV cache 1.0 KiB, work 512 bytes)",
        new MemoryNeed(2048, 1024, 512).toString());
  }
}
