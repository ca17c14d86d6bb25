package dev.tandem.runtime;

/**
 * Writes a program: tensors, then operations in an order in which they could run. What each
 * operation computes stands in {@code tandem.h}. Not safe for use from several threads.
 *
 * <p>Every method throws {@link RuntimeFailure} where types or shapes do not fit.
 */
public final class ProgramWriter implements AutoCloseable {

  /** A tensor declared in a program, as an operand. */
  public record Tensor(int index) {}

  /** An event declared in a program. */
  public record Event(int index) {}

  /** A stream of a program. */
  public record Stream(int index) {
    /** The device's compute stream, which exists from the start. */
    public static final Stream COMPUTE = new Stream(0);
  }

  /** Where the two halves of a rotated pair lie. */
  public enum RopeLayout {
    NORM(Native.TD_ROPE_NORM),
    NEOX(Native.TD_ROPE_NEOX);

    private final int code;

    RopeLayout(int code) {
      this.code = code;
    }
  }

  /**
   * The tokens of a step as the KV cache sees them: all int32 but the pool.
   *
   * @param positions per token, its position in its sequence
   * @param tables per token, where its sequence's block table begins in {@code blocks}
   * @param blocks the block tables
   * @param pool f16, one row per KV block
   */
  public record CachedTokens(Tensor positions, Tensor tables, Tensor blocks, Tensor pool) {}

  private static final int NONE = -1;

  private final long handle;
  private boolean finished;

  ProgramWriter(long handle) {
    this.handle = handle;
  }

  /** Declares a tensor in a buffer. */
  public Tensor tensor(
      DeviceBuffer buffer, long offset, ElementType type, Layout layout, long rows, long columns) {
    return new Tensor(
        Calls.check(
            Native.td_program_tensor(
                handle, buffer.handle(), offset, type.code(), layout.code(), rows, columns)));
  }

  public Event event() {
    return new Event(Calls.check(Native.td_program_event(handle)));
  }

  /** A stream for copies that overlap with compute. */
  public Stream copyStream() {
    return new Stream(Calls.check(Native.td_program_stream(handle, Native.TD_STREAM_COPY)));
  }

  /** The following operations go to this stream. */
  public void on(Stream stream) {
    Calls.check(Native.td_program_on(handle, stream.index()));
  }

  /** The following operations compute as many rows as the int32 in {@code count} says. */
  public void extent(Tensor count) {
    Calls.check(Native.td_program_extent(handle, count.index()));
  }

  /** The following operations take at least this long each; 0 = as fast as they can. */
  public void pace(long minimumNanos) {
    Calls.check(Native.td_program_pace(handle, minimumNanos));
  }

  public void signal(Event event) {
    Calls.check(Native.td_op_signal(handle, event.index()));
  }

  public void await(Event event) {
    Calls.check(Native.td_op_wait(handle, event.index()));
  }

  /**
   * The following operations wait until an int32 is at least so much: see {@link
   * DeviceBuffer#publish}.
   */
  public void await(Tensor word, int value) {
    Calls.check(Native.td_op_await(handle, word.index(), value));
  }

  public void embedding(Tensor table, Tensor ids, Tensor out) {
    Calls.check(Native.td_op_embedding(handle, table.index(), ids.index(), out.index()));
  }

  public void rmsNorm(Tensor x, Tensor weight, Tensor out, double epsilon) {
    Calls.check(Native.td_op_rms_norm(handle, x.index(), weight.index(), out.index(), epsilon));
  }

  public void encode(Tensor x, Tensor out) {
    Calls.check(Native.td_op_encode(handle, x.index(), out.index()));
  }

  public void matMul(Tensor weight, Tensor x, Tensor out) {
    Calls.check(Native.td_op_matmul(handle, weight.index(), x.index(), NONE, out.index()));
  }

  public void matMul(Tensor weight, Tensor x, Tensor bias, Tensor out) {
    Calls.check(Native.td_op_matmul(handle, weight.index(), x.index(), bias.index(), out.index()));
  }

  public void ropeAngles(Tensor positions, Tensor frequencies, Tensor out) {
    Calls.check(
        Native.td_op_rope_angles(handle, positions.index(), frequencies.index(), out.index()));
  }

  public void rope(Tensor x, Tensor angles, int headSize, RopeLayout layout) {
    Calls.check(Native.td_op_rope(handle, x.index(), angles.index(), headSize, layout.code));
  }

  public void storeKv(
      Tensor keys, Tensor values, CachedTokens tokens, long layerOffset, int headSize) {
    Calls.check(
        Native.td_op_store_kv(
            handle,
            keys.index(),
            values.index(),
            tokens.positions().index(),
            tokens.tables().index(),
            tokens.blocks().index(),
            tokens.pool().index(),
            layerOffset,
            headSize));
  }

  public void attention(
      Tensor query,
      CachedTokens tokens,
      Tensor out,
      long layerOffset,
      int headSize,
      int kvHeads,
      double scale) {
    Calls.check(
        Native.td_op_attention(
            handle,
            query.index(),
            tokens.positions().index(),
            tokens.tables().index(),
            tokens.blocks().index(),
            tokens.pool().index(),
            out.index(),
            layerOffset,
            headSize,
            kvHeads,
            scale));
  }

  /** {@code out = silu(x) * y}. */
  public void silu(Tensor x, Tensor y, Tensor out) {
    Calls.check(Native.td_op_gated(handle, x.index(), y.index(), out.index(), Native.TD_GATE_SILU));
  }

  public void add(Tensor x, Tensor y, Tensor out) {
    Calls.check(Native.td_op_add(handle, x.index(), y.index(), out.index()));
  }

  public void gather(Tensor x, Tensor rows, Tensor out) {
    Calls.check(Native.td_op_gather(handle, x.index(), rows.index(), out.index()));
  }

  public void copy(Tensor x, Tensor out) {
    Calls.check(Native.td_op_copy(handle, x.index(), out.index()));
  }

  /**
   * Penalties and biases.
   *
   * @param counts int32, per row of logits
   * @param ids int32 per place, {@code factors} and {@code addends} f32
   */
  public void adjust(Tensor logits, Tensor counts, Tensor ids, Tensor factors, Tensor addends) {
    Calls.check(
        Native.td_op_adjust(
            handle, logits.index(), counts.index(), ids.index(), factors.index(), addends.index()));
  }

  public void select(Tensor logits, Tensor ids, Tensor values, Tensor logSums) {
    Calls.check(
        Native.td_op_select(handle, logits.index(), ids.index(), values.index(), logSums.index()));
  }

  /**
   * Draws from whole rows of logits.
   *
   * @param values what {@link #select} wrote, as {@code logSums}
   * @param rows int32, per draw
   * @param settings f64, {@link PickSetting#COUNT} per draw
   */
  public void pick(
      Tensor logits,
      Tensor values,
      Tensor logSums,
      Tensor rows,
      Tensor settings,
      Tensor pickedIds,
      Tensor pickedValues) {
    Calls.check(
        Native.td_op_pick(
            handle,
            logits.index(),
            values.index(),
            logSums.index(),
            rows.index(),
            settings.index(),
            pickedIds.index(),
            pickedValues.index()));
  }

  /** Checks the whole program and seals it; this writer is then done. */
  public Program finish() {
    Calls.check(Native.td_program_finish(handle));
    finished = true;
    return new Program(handle);
  }

  /** Gives up a program that was not finished. */
  @Override
  public void close() {
    if (!finished) {
      finished = true;
      Calls.check(Native.td_program_close(handle));
    }
  }
}
