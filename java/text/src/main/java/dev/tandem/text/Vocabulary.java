package dev.tandem.text;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Map;
import java.util.OptionalInt;

/**
 * The tokens of a model: what bytes each one stands for, and which ones are special.
 *
 * <p>A token's bytes are those of the text it was made from: a byte-level alphabet is undone, a
 * {@code ▁} is a space. One token may be half a character; {@link TextStream} puts them together.
 * Immutable and safe for many threads.
 */
public final class Vocabulary {
  private final PieceTable pieces;
  private final TokenType[] types;
  private final Map<SpecialToken, Integer> special;
  private final BitSet endsGeneration;
  private final int[] byteTokens;

  Vocabulary(
      PieceTable pieces,
      TokenType[] types,
      Map<SpecialToken, Integer> special,
      BitSet endsGeneration) {
    this.pieces = pieces;
    this.types = types;
    this.special = special;
    this.endsGeneration = endsGeneration;
    byteTokens = byteTokens();
  }

  private int[] byteTokens() {
    int[] tokens = new int[256];
    for (int b = 0; b < tokens.length; b++) {
      tokens[b] = findText(new byte[] {(byte) b}, 0, 1);
    }
    for (int id = types.length - 1; id >= 0; id--) {
      if (types[id] == TokenType.BYTE) {
        tokens[pieces.bytes()[pieces.start(id)] & 0xFF] = id;
      }
    }
    return tokens;
  }

  /** The number of tokens; ids go from 0 to this, exclusive. */
  public int size() {
    return types.length;
  }

  /** What this token is for. */
  public TokenType type(int id) {
    return types[id];
  }

  /** The token that plays this part, if the model has one. */
  public OptionalInt special(SpecialToken part) {
    Integer id = special.get(part);
    return id == null ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** Whether a model that chooses this token has said all it wanted to say. */
  public boolean isEndOfGeneration(int id) {
    return endsGeneration.get(id);
  }

  /** How many bytes this token stands for. */
  public int byteLength(int id) {
    return pieces.length(id);
  }

  /** The bytes that this token stands for; for a control token those of its name. A copy. */
  public byte[] bytes(int id) {
    return Arrays.copyOfRange(pieces.bytes(), pieces.start(id), pieces.end(id));
  }

  /** Copies the token's bytes and returns how many they are. */
  public int copyBytes(int id, byte[] target, int at) {
    int length = pieces.length(id);
    System.arraycopy(pieces.bytes(), pieces.start(id), target, at, length);
    return length;
  }

  /**
   * The token as text for people: bytes that are not whole characters are shown as {@code <0xE2>}.
   */
  public String text(int id) {
    ByteBuffer bytes = ByteBuffer.wrap(pieces.bytes(), pieces.start(id), pieces.length(id));
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      StringBuilder text = new StringBuilder();
      for (byte b : bytes(id)) {
        text.append(String.format("<0x%02X>", b));
      }
      return text.toString();
    }
  }

  /** The token with this name or text, special or not. */
  public OptionalInt find(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int id = pieces.find(bytes, 0, bytes.length);
    return id < 0 ? OptionalInt.empty() : OptionalInt.of(id);
  }

  /** The token that text with these bytes may become, or -1. */
  int findText(byte[] text, int from, int to) {
    int id = pieces.find(text, from, to);
    return id >= 0 && isText(id) ? id : -1;
  }

  /** Whether ordinary text may become this token; user-defined ones are found in another way. */
  private boolean isText(int id) {
    return switch (types[id]) {
      case NORMAL, UNDEFINED, UNUSED -> true;
      case UNKNOWN, CONTROL, USER_DEFINED, BYTE -> false;
    };
  }

  /** The token of one byte, or -1. */
  int byteToken(byte b) {
    return byteTokens[b & 0xFF];
  }

  /** Adds a character that has no token: as bytes, or as unknown where bytes have no tokens. */
  void addCharacter(byte[] text, int from, int to, TokenBuffer out) {
    for (int i = from; i < to; i++) {
      if (byteToken(text[i]) < 0) {
        special(SpecialToken.UNKNOWN).ifPresent(out::add);
        return;
      }
    }
    for (int i = from; i < to; i++) {
      out.add(byteToken(text[i]));
    }
  }

  PieceTable pieces() {
    return pieces;
  }
}
