package dev.tandem.model.gguf;

import dev.tandem.model.format.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Writes a model in the GGUF format, version 3.
 *
 * <p>Metadata and tensors are declared first; writing then streams each tensor from its source, so
 * that the memory needed does not grow with the model. A file gets its name only when it is whole:
 * until then it has a temporary name in the same folder, and a write that fails, or that the
 * process does not live to finish, leaves nothing behind.
 */
public final class GgufWriter {
  private static final int SPLIT_LIMIT = 65_535;

  static final Set<String> SPLIT_KEYS =
      Set.of(GgufFile.SPLIT_NUMBER_KEY, GgufFile.SPLIT_COUNT_KEY, GgufFile.SPLIT_TENSORS_KEY);

  private final Map<String, GgufValue> metadata = new LinkedHashMap<>();
  private final Map<String, Declaration> tensors = new LinkedHashMap<>();

  /** Delivers the bytes of one tensor. */
  @FunctionalInterface
  public interface Source {
    /**
     * Writes exactly the tensor's bytes, in order, in pieces of any size. Called once for every
     * time that the model is written.
     */
    void writeTo(WritableByteChannel out) throws IOException;
  }

  private record Declaration(
      String name, TensorType type, List<Long> shape, long bytes, Source source) {}

  /**
   * Adds a metadata pair. {@code general.alignment} also sets the file's alignment. The keys that
   * say how a model is split are the writer's own, and ignored here.
   *
   * @throws IllegalArgumentException if the key is there already
   */
  public GgufWriter put(String key, GgufValue value) {
    if (key.equals(GgufPart.ALIGNMENT_KEY) && !GgufPart.isAlignment(value)) {
      throw new IllegalArgumentException(GgufPart.ALIGNMENT_RULE + ", not " + value);
    }
    if (SPLIT_KEYS.contains(key)) {
      return this;
    }
    if (metadata.putIfAbsent(key, value) != null) {
      throw new IllegalArgumentException("the key " + key + " is there already");
    }
    return this;
  }

  /** Adds metadata pairs in their order; see {@link #put}. */
  public GgufWriter putAll(Map<String, GgufValue> pairs) {
    pairs.forEach(this::put);
    return this;
  }

  /**
   * Declares a tensor.
   *
   * @param shape one to four sizes, the fastest varying first
   * @throws IllegalArgumentException if the name is there already, or such a tensor cannot be
   */
  public GgufWriter tensor(String name, TensorType type, List<Long> shape, Source source) {
    if (shape.isEmpty() || shape.size() > GgufPart.MOST_DIMENSIONS) {
      throw new IllegalArgumentException("tensor " + name + ": shape " + shape + ": 1 to 4 sizes");
    }
    if (shape.stream().anyMatch(extent -> extent <= 0)) {
      throw new IllegalArgumentException(
          "tensor " + name + ": shape " + shape + ": every size must be positive");
    }
    long rows = shape.stream().skip(1).reduce(1L, Math::multiplyExact);
    long bytes = Math.multiplyExact(type.rowBytes(shape.getFirst()), rows);
    Declaration declared = new Declaration(name, type, List.copyOf(shape), bytes, source);
    if (tensors.putIfAbsent(name, declared) != null) {
      throw new IllegalArgumentException("the tensor " + name + " is there already");
    }
    return this;
  }

  /**
   * Declares a tensor whose bytes are at hand; see {@link #tensor(String, TensorType, List,
   * Source)}.
   */
  public GgufWriter tensor(String name, TensorType type, List<Long> shape, byte[] bytes) {
    return tensor(name, type, shape, out -> out.write(ByteBuffer.wrap(bytes)));
  }

  /**
   * Writes the model to one file, which replaces an older one of that name.
   *
   * @throws UncheckedIOException if the file cannot be written
   * @throws IllegalStateException if a source delivers fewer or more bytes than it should
   */
  public void write(Path file) {
    writeAll(Map.of(file, new Content(metadata, List.copyOf(tensors.values()))));
  }

  /**
   * Writes the header alone, with a hole where the tensors would lie: zeros to who reads them, but
   * no bytes on most file systems. For who wants shapes and no weights.
   *
   * @throws UncheckedIOException if the file cannot be written
   */
  public void writeOutline(Path file) {
    Content content = new Content(metadata, List.copyOf(tensors.values()));
    try (TemporaryFiles temporary = new TemporaryFiles()) {
      try (FileChannel channel = temporary.create(file)) {
        content.writeOutlineTo(channel);
      }
      temporary.giveNames();
    } catch (IOException e) {
      throw new UncheckedIOException(file + ": cannot be written: " + e.getMessage(), e);
    }
  }

  /**
   * Writes the model split in files {@code stem-00001-of-0000N.gguf}, each with about the same
   * number of tensors, the metadata in the first.
   *
   * @return the files in order
   * @throws UncheckedIOException if a file cannot be written
   * @throws IllegalStateException if a source delivers fewer or more bytes than it should
   */
  public List<Path> writeSplit(Path folder, String stem, int parts) {
    if (parts < 1 || parts > SPLIT_LIMIT) {
      throw new IllegalArgumentException(parts + " parts: 1 to " + SPLIT_LIMIT);
    }
    List<Declaration> all = List.copyOf(tensors.values());
    SplitName name = new SplitName(folder.resolve(stem), stem, parts);
    Map<Path, Content> contents = new LinkedHashMap<>();
    for (int i = 0; i < parts; i++) {
      Map<String, GgufValue> pairs = new LinkedHashMap<>(i == 0 ? metadata : Map.of());
      if (metadata.containsKey(GgufPart.ALIGNMENT_KEY)) {
        pairs.put(GgufPart.ALIGNMENT_KEY, metadata.get(GgufPart.ALIGNMENT_KEY));
      }
      pairs.put(GgufFile.SPLIT_NUMBER_KEY, new GgufValue.IntValue(GgufType.UINT16, i));
      pairs.put(GgufFile.SPLIT_COUNT_KEY, new GgufValue.IntValue(GgufType.UINT16, parts));
      pairs.put(GgufFile.SPLIT_TENSORS_KEY, new GgufValue.IntValue(GgufType.INT32, all.size()));
      int from = (int) ((long) all.size() * i / parts);
      int to = (int) ((long) all.size() * (i + 1) / parts);
      contents.put(name.part(i), new Content(pairs, all.subList(from, to)));
    }
    writeAll(contents);
    return List.copyOf(contents.keySet());
  }

  /** Writes the model to a channel. */
  void write(WritableByteChannel out) throws IOException {
    new Content(metadata, List.copyOf(tensors.values())).writeTo(out);
  }

  private static void writeAll(Map<Path, Content> contents) {
    try (TemporaryFiles temporary = new TemporaryFiles()) {
      for (Map.Entry<Path, Content> content : contents.entrySet()) {
        try (FileChannel channel = temporary.create(content.getKey())) {
          content.getValue().writeTo(channel);
        }
      }
      temporary.giveNames();
    } catch (IOException e) {
      throw new UncheckedIOException(
          String.join(", ", contents.keySet().stream().map(Path::toString).toList())
              + ": cannot be written: "
              + e.getMessage(),
          e);
    }
  }

  /** What one file holds. */
  private record Content(Map<String, GgufValue> metadata, List<Declaration> tensors) {
    void writeTo(WritableByteChannel out) throws IOException {
      writeHeaderTo(out);
      for (Declaration tensor : tensors) {
        try (Measured measured = new Measured(out, tensor)) {
          tensor.source.writeTo(measured);
          measured.checkComplete();
        }
        pad(out, tensor.bytes, alignment());
      }
    }

    void writeOutlineTo(FileChannel out) throws IOException {
      writeHeaderTo(out);
      long end = out.position();
      for (Declaration tensor : tensors) {
        end += padded(tensor.bytes, alignment());
      }
      if (end > out.position()) {
        out.write(ByteBuffer.allocate(1), end - 1);
      }
    }

    private int alignment() {
      return metadata.get(GgufPart.ALIGNMENT_KEY) instanceof GgufValue.IntValue number
          ? (int) number.value()
          : GgufPart.DEFAULT_ALIGNMENT;
    }

    private void writeHeaderTo(WritableByteChannel out) throws IOException {
      int alignment = alignment();
      HeaderWriter header = new HeaderWriter();
      header.preamble(tensors.size(), metadata.size());
      metadata.forEach(header::pair);
      long offset = 0;
      for (Declaration tensor : tensors) {
        header.tensor(tensor.name, tensor.type, tensor.shape, offset);
        offset += padded(tensor.bytes, alignment);
      }
      header.writeTo(out);
      pad(out, header.size(), alignment);
    }

    private static long padded(long bytes, int alignment) {
      return Math.ceilDiv(bytes, (long) alignment) * alignment;
    }

    private static void pad(WritableByteChannel out, long bytes, int alignment) throws IOException {
      ByteBuffer zeros = ByteBuffer.allocate((int) (padded(bytes, alignment) - bytes));
      while (zeros.hasRemaining()) {
        out.write(zeros);
      }
    }
  }

  /** Passes a tensor's bytes on and counts them. */
  private static final class Measured implements WritableByteChannel {
    private final WritableByteChannel out;
    private final Declaration tensor;
    private long written;
    private boolean open = true;

    Measured(WritableByteChannel out, Declaration tensor) {
      this.out = out;
      this.tensor = tensor;
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
      int length = source.remaining();
      if (length > tensor.bytes - written) {
        throw new IllegalStateException(
            "tensor " + tensor.name + ": its source delivers more than " + tensor.bytes + " bytes");
      }
      while (source.hasRemaining()) {
        out.write(source);
      }
      written += length;
      return length;
    }

    void checkComplete() {
      if (written != tensor.bytes) {
        throw new IllegalStateException(
            "tensor "
                + tensor.name
                + ": its source delivered "
                + written
                + " bytes of "
                + tensor.bytes);
      }
    }

    @Override
    public boolean isOpen() {
      return open;
    }

    /** Ends this tensor; the file itself stays open. */
    @Override
    public void close() {
      open = false;
    }
  }
}
