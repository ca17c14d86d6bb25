package dev.tandem.text;

/** What a token is for; the constants' order is that of the numbers in a GGUF file. */
public enum TokenType {
  /** Not said. Treated like {@link #NORMAL}. */
  UNDEFINED,
  /** Text. */
  NORMAL,
  /** Stands for text that the vocabulary cannot express. */
  UNKNOWN,
  /** Steers the model; never made from text unless special tokens are parsed, and not printed. */
  CONTROL,
  /** Text that is always one token, wherever it stands. */
  USER_DEFINED,
  /** A reserved place of the vocabulary. */
  UNUSED,
  /** One byte, for text that has no token: {@code <0xE2>}. */
  BYTE;

  private static final TokenType[] BY_CODE = values();

  /** How many types there are: codes go from 0 to this, exclusive. */
  static int count() {
    return BY_CODE.length;
  }

  static TokenType ofCode(int code) {
    return BY_CODE[code];
  }

  /** Whether a token of this type appears in the text that a user sees. */
  public boolean isPrinted() {
    return this != CONTROL && this != UNKNOWN;
  }
}
