package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import org.junit.jupiter.api.Test;

class StringTableTest {
  private final List<String> strings = List.of("", "a", "\u00fcber", "\u4e00\ud83d\ude00", "", "z");
  private final StringTable table = StringTable.of(strings);

  @Test
  void holdsItsStrings() {
    assertEquals(strings.size(), table.size());
    List<String> iterated = new ArrayList<>();
    table.forEach(iterated::add);
    assertEquals(strings, iterated);
    assertEquals("z", table.string(5));
    Iterator<String> iterator = StringTable.of(List.of()).iterator();
    assertThrows(NoSuchElementException.class, iterator::next);
  }

  @Test
  void sharesOneArray() {
    assertEquals(0, table.start(0));
    assertEquals(0, table.end(0));
    for (int i = 1; i < table.size(); i++) {
      assertEquals(table.end(i - 1), table.start(i));
    }
    assertEquals(table.bytes().length, table.end(table.size() - 1));
    byte[] second = Arrays.copyOfRange(table.bytes(), table.start(1), table.end(1));
    assertEquals("a", new String(second, StandardCharsets.UTF_8));
  }

  @Test
  void comparesByBytes() {
    assertEquals(StringTable.of(strings), table);
    assertEquals(StringTable.of(strings).hashCode(), table.hashCode());
    assertNotEquals(StringTable.of(List.of("ab", "c")), StringTable.of(List.of("a", "bc")));
  }

  /** A token of a byte-level vocabulary may be half a character; its bytes are kept. */
  @Test
  void keepsBytesThatAreNotUtf8() {
    byte[] file =
        RawGguf.of(0, 1).text("a").u32(9).u32(8).u64(2).u64(1).raw(0xC3).u64(1).raw(0x28).bytes();
    StringTable halves = MemoryChannel.open(file).metadata().strings("a");
    assertEquals((byte) 0xC3, halves.bytes()[0]);
    assertEquals("\uFFFD", halves.string(0));
    assertEquals("(", halves.string(1));
  }

  /** Strings longer than the reader's buffer. */
  @Test
  void readsLongStrings() {
    List<String> longOnes = List.of("x".repeat(700_000), "", "y".repeat(300_000), "z");
    GgufWriter writer = new GgufWriter().put("a", GgufValue.texts(longOnes));
    StringTable read = MemoryChannel.open(MemoryChannel.written(writer)).metadata().strings("a");
    assertEquals(StringTable.of(longOnes), read);
  }
}
