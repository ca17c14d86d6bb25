package dev.tandem.model.gguf;

import dev.tandem.model.format.LittleEndian;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Recognises, by its first bytes, a file that is not GGUF, so that an error can say what it is. */
final class FileKind {
  /** How many bytes {@link #describe} wants to see. */
  static final int BYTES = 16;

  private static final Map<String, String> BY_FIRST_BYTES =
      Map.ofEntries(
          Map.entry("lmgg", "a GGML file of before August 2023; convert the model again to GGUF"),
          Map.entry("fmgg", "a GGML (GGMF) file of before August 2023; convert it again to GGUF"),
          Map.entry("tjgg", "a GGML (GGJT) file of before August 2023; convert it again to GGUF"),
          Map.entry("algg", "a GGML LoRA adapter (GGLA), not a model"),
          Map.entry("PK\3\4", "a zip archive, such as a PyTorch checkpoint; convert it to GGUF"),
          Map.entry(
              "\u0080\2", "a Python pickle, such as a PyTorch checkpoint; convert it to GGUF"),
          Map.entry("\u0089HDF", "an HDF5 file; convert the model to GGUF"),
          Map.entry("\u0093NUMPY", "a NumPy array, not a model"),
          Map.entry("\u001f\u008b", "a gzip archive; unpack it first"),
          Map.entry("(\u00b5/\u00fd", "a Zstandard archive; unpack it first"),
          Map.entry(
              "version https", "a Git LFS pointer; fetch the file itself with `git lfs pull`"),
          Map.entry("<", "an HTML or XML page: the download went wrong"),
          Map.entry("{", "a JSON file, not a model"));

  private FileKind() {}

  /** What a file with these first bytes looks like. */
  static String describe(byte[] head) {
    String first = new String(head, StandardCharsets.ISO_8859_1);
    for (Map.Entry<String, String> kind : BY_FIRST_BYTES.entrySet()) {
      if (first.startsWith(kind.getKey())) {
        return kind.getValue();
      }
    }
    // Safetensors: the length of a JSON header as a 64-bit number, then the header.
    if (head.length > Long.BYTES
        && head[Long.BYTES] == '{'
        && LittleEndian.getLong(head, 0) > 1
        && LittleEndian.getLong(head, 0) < HeaderReader.LARGEST_HEADER) {
      return "a safetensors file; convert the model to GGUF";
    }
    return "an unknown kind of file";
  }
}
