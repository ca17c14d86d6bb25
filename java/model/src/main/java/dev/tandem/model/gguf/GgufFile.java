package dev.tandem.model.gguf;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A model in the GGUF format: its metadata and where its tensors lie.
 *
 * <p>Opening reads and checks the header of the file, or of all files of a split model; afterwards
 * no file is held open. Everything a tensor's entry says has been checked against the file: it lies
 * within, is aligned, and overlaps no other.
 *
 * <p>The format: <a href="https://github.com/ggml-org/ggml/blob/master/docs/gguf.md">gguf.md</a>.
 * Versions 2 and 3, little-endian, are read.
 */
public final class GgufFile {
  static final String SPLIT_NUMBER_KEY = "split.no";
  static final String SPLIT_COUNT_KEY = "split.count";
  static final String SPLIT_TENSORS_KEY = "split.tensors.count";

  private final List<GgufPart> parts;
  private final Map<String, TensorInfo> tensors;

  private GgufFile(List<GgufPart> parts, Map<String, TensorInfo> tensors) {
    this.parts = List.copyOf(parts);
    this.tensors = Collections.unmodifiableMap(tensors);
  }

  /**
   * Opens a model.
   *
   * @param file the file, or any one of the files {@code name-00001-of-0000N.gguf} of a split model
   * @throws ModelFormatException if the content is not a valid model
   * @throws UncheckedIOException if the file does not exist or cannot be read
   */
  public static GgufFile open(Path file) {
    GgufPart opened = openPart(file, 0);
    long count = opened.metadata().findInteger(SPLIT_COUNT_KEY).orElse(1);
    if (count <= 1) {
      return new GgufFile(List.of(opened), opened.tensors());
    }
    return openSplit(file, opened.metadata(), count);
  }

  /** A model of one file whose bytes a channel delivers; {@code file} only names it. */
  static GgufFile read(Path file, SeekableByteChannel channel) throws IOException {
    GgufPart part = GgufPart.parse(file, channel, channel.size(), 0);
    return new GgufFile(List.of(part), part.tensors());
  }

  private static GgufFile openSplit(Path file, GgufMetadata opened, long count) {
    SplitName name =
        SplitName.of(file)
            .filter(split -> split.count() == count)
            .orElseThrow(() ->
                opened.problem(
                    SPLIT_COUNT_KEY,
                    "the model is split in "
                        + count
                        + " files, but this one is not named as the others are to be found,"
                        + " name-00001-of-"
                        + SplitName.digits(count)
                        + ".gguf"));
    List<GgufPart> parts = new ArrayList<>();
    Map<String, TensorInfo> tensors = new LinkedHashMap<>();
    for (int i = 0; i < name.count(); i++) {
      Path path = name.part(i);
      if (!Files.exists(path)) {
        throw new ModelFormatException(
            path,
            ModelFormatException.NOWHERE,
            "part " + (i + 1) + " of " + count,
            "the file is missing; it belongs beside " + file);
      }
      GgufPart part = openPart(path, i);
      expect(part, SPLIT_NUMBER_KEY, i);
      expect(part, SPLIT_COUNT_KEY, count);
      for (TensorInfo tensor : part.tensors().values()) {
        TensorInfo other = tensors.put(tensor.name(), tensor);
        if (other != null) {
          throw new ModelFormatException(
              path,
              tensor.offset(),
              "tensor " + tensor.name(),
              "another tensor has the same name in " + parts.get(other.part()).file());
        }
      }
      parts.add(part);
    }
    parts
        .getFirst()
        .metadata()
        .findInteger(SPLIT_TENSORS_KEY)
        .ifPresent(total -> expect(parts.getFirst(), SPLIT_TENSORS_KEY, total, tensors.size()));
    return new GgufFile(parts, tensors);
  }

  private static void expect(GgufPart part, String key, long expected) {
    expect(part, key, part.metadata().integer(key), expected);
  }

  private static void expect(GgufPart part, String key, long found, long expected) {
    if (found != expected) {
      throw part.metadata().problem(key, "is " + found + ", but must be " + expected);
    }
  }

  private static GgufPart openPart(Path file, int index) {
    if (Files.isDirectory(file)) {
      throw new ModelFormatException(
          file, ModelFormatException.NOWHERE, "file", "is a directory; name the .gguf file in it");
    }
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new ModelFormatException(
          file, ModelFormatException.NOWHERE, "file", "is not a regular file");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      return GgufPart.parse(file, channel, channel.size(), index);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  private static UncheckedIOException unreadable(Path file, IOException cause) {
    String problem =
        switch (cause) {
          case NoSuchFileException e -> "no such file";
          case AccessDeniedException e -> "no permission to read it";
          default -> String.valueOf(cause.getMessage());
        };
    return new UncheckedIOException(file + ": " + problem, cause);
  }

  /** The files of the model in order; one, unless it is split. */
  public List<Path> parts() {
    return parts.stream().map(GgufPart::file).toList();
  }

  /** The metadata; of a split model that of its first file. */
  public GgufMetadata metadata() {
    return parts.getFirst().metadata();
  }

  /** All tensors by name, in the files' order. */
  public Map<String, TensorInfo> tensors() {
    return tensors;
  }

  /** The tensor of this name. */
  public Optional<TensorInfo> find(String name) {
    return Optional.ofNullable(tensors.get(name));
  }

  /**
   * The tensor of this name.
   *
   * @throws ModelFormatException if there is none
   */
  public TensorInfo tensor(String name) {
    return find(name)
        .orElseThrow(() ->
            new ModelFormatException(
                parts.getFirst().file(),
                ModelFormatException.NOWHERE,
                "tensor " + name,
                "the tensor is missing"));
  }

  /** GGUF's version: 2 or 3. */
  public int version() {
    return parts.getFirst().version();
  }

  /** What tensors are aligned to, in bytes; of a split model in its first file. */
  public int alignment() {
    return parts.getFirst().alignment();
  }

  /** The size of all files together. */
  public long bytes() {
    return parts.stream().mapToLong(GgufPart::size).sum();
  }

  /** The size of all tensors together, without headers and padding. */
  public long tensorBytes() {
    return tensors.values().stream().mapToLong(TensorInfo::bytes).sum();
  }

  /**
   * Reads a whole tensor as it is stored.
   *
   * @throws IllegalArgumentException if it is larger than an array can be; read rows then
   * @throws ModelFormatException if the file has become shorter
   */
  public byte[] read(TensorInfo tensor) {
    return readRows(tensor, 0, tensor.elements() / tensor.columns());
  }

  /**
   * Reads rows of a tensor as they are stored. The rows of an expert tensor are counted through:
   * matrix {@code m} begins with row {@code m * rows()}.
   *
   * @throws IllegalArgumentException if there are no such rows, or they exceed what an array can be
   * @throws ModelFormatException if the file has become shorter
   */
  public byte[] readRows(TensorInfo tensor, long first, long count) {
    long rows = tensor.elements() / tensor.columns();
    if (first < 0 || count < 0 || first > rows - count) {
      throw new IllegalArgumentException(
          "rows " + first + " to " + (first + count) + " of " + tensor + ", which has " + rows);
    }
    long length = count * tensor.rowBytes();
    if (length > Integer.MAX_VALUE - 8) {
      throw new IllegalArgumentException(
          length + " bytes of " + tensor + " do not fit an array; read fewer rows at a time");
    }
    ByteBuffer target = ByteBuffer.allocate((int) length);
    read(tensor, first * tensor.rowBytes(), target);
    return target.array();
  }

  /**
   * Reads bytes of a tensor until the buffer is full.
   *
   * @param from the first byte, counted from the tensor's beginning
   * @throws IllegalArgumentException if the tensor has no such bytes
   * @throws ModelFormatException if the file has become shorter
   */
  public void read(TensorInfo tensor, long from, ByteBuffer target) {
    if (from < 0 || from > tensor.bytes() - target.remaining()) {
      throw new IllegalArgumentException(
          target.remaining() + " bytes at " + from + " of " + tensor + ": beyond its end");
    }
    Path file = parts.get(tensor.part()).file();
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long position = tensor.offset() + from;
      while (target.hasRemaining()) {
        int read = channel.read(target, position);
        if (read < 0) {
          throw new ModelFormatException(
              file,
              position,
              "tensor " + tensor.name(),
              "the file has become shorter since it was opened");
        }
        position += read;
      }
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  @Override
  public String toString() {
    return parts.getFirst().file() + ": " + tensors.size() + " tensors";
  }
}
