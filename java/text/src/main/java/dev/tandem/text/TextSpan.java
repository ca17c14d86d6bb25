package dev.tandem.text;

import java.util.Objects;

/**
 * A part of a prompt, and whether special tokens in it are meant.
 *
 * <p>A prompt is one text, but its parts differ in trust: {@code <|im_end|>} ends a turn where the
 * chat template wrote it, and is ten harmless characters where a user typed it.
 *
 * @param text the text
 * @param parseSpecial whether the text of a control token in this part becomes that token
 */
public record TextSpan(String text, boolean parseSpecial) {
  /** Rejects null. */
  public TextSpan {
    Objects.requireNonNull(text, "text");
  }
}
