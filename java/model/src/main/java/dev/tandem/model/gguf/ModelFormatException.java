package dev.tandem.model.gguf;

import java.nio.file.Path;

/**
 * A model file that is not what it must be: truncated, inconsistent, or of a kind that is not
 * supported.
 *
 * <p>The message names the file, the field and, where the problem lies at one place, the byte:
 * {@code model.gguf: tensor blk.3.ffn_up.weight: type at byte 1234: 19 (IQ1_S) is not supported;
 * supported: ...}.
 */
public final class ModelFormatException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /** The offset of a problem that does not lie at one place of the file. */
  public static final long NOWHERE = -1;

  private final transient Path file;
  private final long offset;
  private final String field;

  /**
   * A problem of a field of a file.
   *
   * @param file the file, as the user named it
   * @param offset the byte of the file at which the field begins, or {@link #NOWHERE}
   * @param field the thing that is wrong: a metadata key, a tensor, a part of the header
   * @param problem what is wrong with it, and where possible the remedy
   */
  public ModelFormatException(Path file, long offset, String field, String problem) {
    super(file + ": " + field + (offset < 0 ? "" : " at byte " + offset) + ": " + problem);
    this.file = file;
    this.offset = offset;
    this.field = field;
  }

  /** The file. */
  public Path file() {
    return file;
  }

  /** The byte of the file at which the field begins, or {@link #NOWHERE}. */
  public long offset() {
    return offset;
  }

  /** The metadata key, the tensor or the part of the header that is wrong. */
  public String field() {
    return field;
  }
}
