package dev.tandem.text;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PieceTableTest {

  /**
   * Two pieces with the same key: the bytes alone tell them apart. They come from a search by
   * distinguished points; if the hash changes, it takes some 2^28 steps to find others.
   */
  private static final byte[] ONE = bytes("kaigfpebkkanbe");

  private static final byte[] OTHER = bytes("gmgemgmofapjbn");

  @Test
  void equalHashesAreNoEqualPieces() {
    assertEquals(
        PieceTable.key(ONE, 0, ONE.length),
        PieceTable.key(OTHER, 0, OTHER.length),
        "the pieces must collide for this test to be one");
    PieceTable table = table(ONE, OTHER);
    table.index(0);
    assertEquals(0, find(table, ONE));
    assertEquals(-1, find(table, OTHER));
    table.index(1);
    assertEquals(0, find(table, ONE));
    assertEquals(1, find(table, OTHER));
    assertTrue(table.isUnique());
  }

  /** Up to seven bytes the key is the bytes; lengths and zero bytes count. */
  @Test
  void shortPiecesDiffer() {
    PieceTable table = table(bytes("a"), bytes("\0a"), bytes("a\0"), bytes("seven77"), new byte[0]);
    for (int id = 0; id < 5; id++) {
      table.index(id);
    }
    assertEquals(0, find(table, bytes("a")));
    assertEquals(1, find(table, bytes("\0a")));
    assertEquals(2, find(table, bytes("a\0")));
    assertEquals(3, find(table, bytes("seven77")));
    assertEquals(-1, find(table, bytes("seven78")));
    assertEquals(-1, find(table, bytes("\0")));
    assertEquals(-1, find(table, new byte[0]), "a piece without bytes is never found");
    assertTrue(table.isUnique());
  }

  @ParameterizedTest
  @ValueSource(strings = {"a", "seven77", "eight888", "a piece of some length"})
  void theFirstOfEqualPiecesIsFound(String piece) {
    PieceTable table = table(bytes(piece), bytes(piece));
    table.index(1);
    table.index(0);
    assertEquals(1, find(table, bytes(piece)));
    assertFalse(table.isUnique());
  }

  @Test
  void keysOfLongPiecesAreNoneOfShortOnes() {
    for (int length = 0; length < 20; length++) {
      byte[] piece = bytes("y".repeat(length));
      for (int other = 0; other < length; other++) {
        assertNotEquals(PieceTable.key(piece, 0, other), PieceTable.key(piece, 0, length));
      }
    }
  }

  private static int find(PieceTable table, byte[] piece) {
    return table.find(piece, 0, piece.length);
  }

  private static PieceTable table(byte[]... pieces) {
    int[] ends = new int[pieces.length];
    byte[] all = new byte[0];
    for (int id = 0; id < pieces.length; id++) {
      ends[id] = all.length + pieces[id].length;
      all = Arrays.copyOf(all, ends[id]);
      System.arraycopy(pieces[id], 0, all, ends[id] - pieces[id].length, pieces[id].length);
    }
    return new PieceTable(all, ends);
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.ISO_8859_1);
  }
}
