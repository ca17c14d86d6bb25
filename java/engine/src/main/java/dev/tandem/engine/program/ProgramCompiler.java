package dev.tandem.engine.program;

import dev.tandem.engine.kv.KvCache;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.graph.Operator;
import dev.tandem.model.graph.OperatorGraph;
import dev.tandem.model.graph.Rotation;
import dev.tandem.model.graph.Value;
import dev.tandem.model.graph.Weight;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.Program;
import dev.tandem.runtime.ProgramWriter;
import dev.tandem.runtime.ProgramWriter.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/**
 * Compiles an operator graph to a program for one device: gives every value a place in scratch
 * memory, encodes activations for the matmuls, and writes the operations. First everything is
 * planned (so that the memory is known), then it is written.
 */
public final class ProgramCompiler {

  private static final int F32_BYTES = 4;

  private final Device device;
  private final OperatorGraph graph;
  private final WeightStore weights;
  private final StepCapacity capacity;
  private final int kvBlocks;

  private final ScratchPlan scratchPlan = new ScratchPlan();
  private final Map<Integer, ScratchArray> places = new HashMap<>(); // by value
  private final Map<Encoding, ScratchArray> encodings = new HashMap<>();
  private final Map<Rotation, ScratchArray> angles = new LinkedHashMap<>();
  private final int[] lastUse;
  private final List<Consumer<Emitter>> steps = new ArrayList<>();
  private long kvLayerOffset;
  private int position; // of the operator being planned
  private final Map<Value.Rows, Integer> awaitedStages = new EnumMap<>(Value.Rows.class);
  private long kernelBytes; // of the operation that needs most beside its operands

  /** Rows of elements in scratch memory. */
  private record ScratchArray(
      ScratchPlan.Place place, ElementType type, Value.Rows rows, long columns) {}

  private record Encoding(int value, ElementType type) {}

  /**
   * Plans the program.
   *
   * @param weights where they lie, or will
   * @param kvBlocks blocks of the KV pool
   */
  public ProgramCompiler(
      Device device,
      OperatorGraph graph,
      WeightStore weights,
      StepCapacity capacity,
      int kvBlocks) {
    this.device = device;
    this.graph = graph;
    this.weights = weights;
    this.capacity = capacity;
    this.kvBlocks = kvBlocks;
    this.lastUse = new int[graph.values().size()];
    List<Operator> operators = graph.operators();
    for (int i = 0; i < operators.size(); i++) {
      for (Value input : operators.get(i).inputs()) {
        lastUse[input.id()] = i;
      }
    }
    planAngles();
    for (position = 0; position < operators.size(); position++) {
      Operator operator = operators.get(position);
      planAwait(operator);
      plan(operator);
      operator.inputs().stream().distinct().forEach(this::giveIfLast);
    }
  }

  /** Bytes that the program needs beside weights, KV and step block. */
  public long workBytes() {
    long frequencies = 0;
    for (Rotation rotation : angles.keySet()) {
      frequencies += (long) Double.BYTES * rotation.dimensions() / 2;
    }
    long pickBytes = device.workBytesOfPick(capacity.outputs(), graph.logits().width());
    return scratchPlan.peak() + logitsBytes() + frequencies + kernelBytes + pickBytes;
  }

  /** Bytes of the KV pool. */
  public long kvBytes() {
    return kvBlocks * kvBlockBytes(graph);
  }

  /** Bytes of one block of KV. */
  public static long kvBlockBytes(OperatorGraph graph) {
    return KvCache.BLOCK_TOKENS * graph.kvBytesPerPosition();
  }

  /** Takes the memory and writes the program. */
  public CompiledModel compile(GgufFile file, StepBlock step) {
    List<DeviceBuffer> memory = new ArrayList<>();
    try (ProgramWriter program = device.newProgram()) {
      DeviceBuffer scratch = keep(memory, device.allocate(scratchPlan.peak()));
      DeviceBuffer kv = keep(memory, device.allocate(kvBytes()));
      DeviceBuffer logits = keep(memory, device.allocate(logitsBytes()));
      Emitter emitter = new Emitter(program, file, step, scratch, kv, logits, memory);
      steps.forEach(each -> each.accept(emitter));
      Program whole = program.finish();
      try {
        Program picks = StepEnd.picks(device, step, writer -> logits(writer, logits));
        return new CompiledModel(whole, picks, logits, graph.logits().width(), memory);
      } catch (RuntimeException e) {
        whole.close();
        throw e;
      }
    } catch (RuntimeException e) {
      memory.forEach(DeviceBuffer::close);
      throw e;
    }
  }

  // ---- planning ----

  private void plan(Operator operator) {
    switch (operator) {
      case Operator.Embedding o -> {
        ScratchArray out = take(o.output());
        emit(
            o.output().rows(),
            e ->
                e.program.embedding(e.weight(o.table()), e.step.of(StepLayout::ids), e.array(out)));
      }
      case Operator.Norm o -> {
        ScratchArray x = placeOf(o.input());
        ScratchArray out = take(o.output());
        emit(
            o.output().rows(),
            e -> e.program.rmsNorm(e.array(x), e.weight(o.weight()), e.array(out), o.epsilon()));
      }
      case Operator.MatMul o -> {
        needMatMul(o.weight());
        ScratchArray x = encoded(o.input(), o.weight());
        ScratchArray out = take(o.output());
        emit(
            o.output().rows(),
            e -> {
              Tensor weight = e.weight(o.weight());
              if (o.bias().isPresent()) {
                e.program.matMul(weight, e.array(x), e.weight(o.bias().get()), e.array(out));
              } else {
                e.program.matMul(weight, e.array(x), e.array(out));
              }
            });
      }
      case Operator.Rope o -> planRope(o);
      case Operator.Attention o -> planAttention(o);
      case Operator.GatedActivation o -> {
        ScratchArray gate = placeOf(o.gate());
        ScratchArray up = placeOf(o.up());
        ScratchArray out = take(o.output());
        emit(o.output().rows(), e -> e.program.silu(e.array(gate), e.array(up), e.array(out)));
      }
      case Operator.ResidualAdd o -> {
        ScratchArray left = placeOf(o.left());
        ScratchArray right = placeOf(o.right());
        ScratchArray out = take(o.output());
        emit(o.output().rows(), e -> e.program.add(e.array(left), e.array(right), e.array(out)));
      }
      case Operator.OutputRows o -> {
        ScratchArray x = placeOf(o.input());
        ScratchArray out = take(o.output());
        emit(
            o.output().rows(),
            e -> e.program.gather(e.array(x), e.step.of(StepLayout::outputRows), e.array(out)));
      }
      case Operator.OutputHead o -> {
        needMatMul(o.weight());
        need(device.workBytesOfSelect(capacity.outputs(), o.output().width()));
        ScratchArray x = encoded(o.input(), o.weight());
        emit(
            o.output().rows(),
            e -> {
              Tensor logits = logits(e.program, e.logits);
              e.program.matMul(e.weight(o.weight()), e.array(x), logits);
              StepEnd.select(e.program, e.step, logits);
            });
      }
    }
  }

  /** Where an operator is the first that needs a stage of the weights. */
  private void planAwait(Operator operator) {
    int stage = weights.stage(operator);
    Value.Rows rows = operator.output().rows();
    // Every step has tokens; one without outputs reads no head, and waits for none.
    int awaited = awaitedStages.getOrDefault(Value.Rows.TOKENS, 0);
    if (stage > Math.max(awaited, awaitedStages.getOrDefault(rows, 0))) {
      awaitedStages.put(rows, stage);
      emit(rows, e -> e.program.await(e.loaded, stage));
    }
  }

  /** The cosines and sines of a step's positions: once per kind of rotation, for all layers. */
  private void planAngles() {
    for (Operator operator : graph.operators()) {
      if (operator instanceof Operator.Rope rope && !angles.containsKey(rope.rotation())) {
        Rotation rotation = rope.rotation();
        int columns = rotation.dimensions();
        ScratchArray out = array(ElementType.F32, Value.Rows.TOKENS, columns);
        angles.put(rotation, out); // stays for the whole step
        emit(
            Value.Rows.TOKENS,
            e ->
                e.program.ropeAngles(
                    e.step.of(StepLayout::positions), e.frequencies(rotation), e.array(out)));
      }
    }
  }

  /** In place where nobody else needs the value as it was. */
  private void planRope(Operator.Rope o) {
    ScratchArray x = placeOf(o.input());
    ScratchArray out;
    if (lastUse[o.input().id()] == position) {
      out = x;
      places.put(o.output().id(), places.remove(o.input().id()));
    } else {
      out = take(o.output());
      emit(o.output().rows(), e -> e.program.copy(e.array(x), e.array(out)));
    }
    ProgramWriter.RopeLayout layout =
        switch (o.rotation().layout()) {
          case NORM -> ProgramWriter.RopeLayout.NORM;
          case NEOX -> ProgramWriter.RopeLayout.NEOX;
        };
    emit(
        o.output().rows(),
        e -> e.program.rope(e.array(out), e.array(angles.get(o.rotation())), o.headSize(), layout));
  }

  private void planAttention(Operator.Attention o) {
    ScratchArray query = placeOf(o.query());
    ScratchArray key = placeOf(o.key());
    ScratchArray value = placeOf(o.value());
    ScratchArray out = take(o.output());
    need(device.workBytesOfAttention(o.heads(), o.kvHeads(), o.headSize()));
    long offset = kvLayerOffset;
    kvLayerOffset += KvCache.BLOCK_TOKENS * o.kvBytesPerPosition();
    emit(
        o.output().rows(),
        e -> {
          e.program.storeKv(e.array(key), e.array(value), e.cached(), offset, o.headSize());
          e.program.attention(
              e.array(query),
              e.cached(),
              e.array(out),
              offset,
              o.headSize(),
              o.kvHeads(),
              o.scale());
        });
  }

  /** The value as matmul wants it for these weights: encoded once, however many matmuls read it. */
  private ScratchArray encoded(Value value, Weight weight) {
    ScratchArray plain = placeOf(value);
    ElementType type = device.activationType(weights.type(weight));
    if (type == ElementType.F32) {
      return plain;
    }
    return encodings.computeIfAbsent(
        new Encoding(value.id(), type),
        key -> {
          ScratchArray out = array(type, value.rows(), value.width());
          emit(value.rows(), e -> e.program.encode(e.array(plain), e.array(out)));
          return out;
        });
  }

  private void needMatMul(Weight weight) {
    need(device.workBytesOfMatMul(weights.type(weight), weights.layout(weight), weight.columns()));
  }

  /** Operations run one after another, so those of a program share one piece of work memory. */
  private void need(long bytes) {
    kernelBytes = Math.max(kernelBytes, bytes);
  }

  private ScratchArray placeOf(Value value) {
    return places.get(value.id());
  }

  private ScratchArray take(Value value) {
    ScratchArray array = array(ElementType.F32, value.rows(), value.width());
    places.put(value.id(), array);
    return array;
  }

  private ScratchArray array(ElementType type, Value.Rows rows, int columns) {
    long bytes = type.bytes(Layout.PLAIN, rowCapacity(rows), columns);
    return new ScratchArray(scratchPlan.take(bytes), type, rows, columns);
  }

  private void giveIfLast(Value value) {
    if (lastUse[value.id()] != position || !places.containsKey(value.id())) {
      return; // still needed, or it lives on under another name
    }
    scratchPlan.give(places.remove(value.id()).place());
    encodings
        .entrySet()
        .removeIf(entry -> {
          boolean mine = entry.getKey().value() == value.id();
          if (mine) {
            scratchPlan.give(entry.getValue().place());
          }
          return mine;
        });
  }

  private void emit(Value.Rows rows, Consumer<Emitter> step) {
    steps.add(e -> {
      e.program.extent(
          e.step.count(
              rows == Value.Rows.TOKENS ? StepLayout.Count.TOKENS : StepLayout.Count.OUTPUTS));
      step.accept(e);
    });
  }

  private int rowCapacity(Value.Rows rows) {
    return rows == Value.Rows.TOKENS ? capacity.tokens() : capacity.outputs();
  }

  private long logitsBytes() {
    return (long) F32_BYTES * capacity.outputs() * graph.logits().width();
  }

  private Tensor logits(ProgramWriter program, DeviceBuffer logits) {
    return program.tensor(
        logits, 0, ElementType.F32, Layout.PLAIN, capacity.outputs(), graph.logits().width());
  }

  private static DeviceBuffer keep(List<DeviceBuffer> memory, DeviceBuffer buffer) {
    memory.add(buffer);
    return buffer;
  }

  // ---- writing ----

  /** Declares the operands as the steps ask for them. */
  private final class Emitter {
    final ProgramWriter program;
    final StepBlock.Operands step;
    private final GgufFile file;
    private final DeviceBuffer scratch;
    private final DeviceBuffer logits;
    private final List<DeviceBuffer> memory;
    private final Tensor loaded;
    private final ProgramWriter.CachedTokens cached;
    private final Map<ScratchArray, Tensor> arrays = new HashMap<>();
    private final Map<String, Tensor> declaredWeights = new HashMap<>();

    Emitter(
        ProgramWriter program,
        GgufFile file,
        StepBlock stepBlock,
        DeviceBuffer scratch,
        DeviceBuffer kv,
        DeviceBuffer logits,
        List<DeviceBuffer> memory) {
      this.program = program;
      this.file = file;
      this.scratch = scratch;
      this.logits = logits;
      this.memory = memory;
      this.step = stepBlock.operandsOf(program);
      this.loaded = weights.declareLoaded(program);
      Tensor pool =
          program.tensor(
              kv, 0, ElementType.F16, Layout.PLAIN, kvBlocks, kvBlockBytes(graph) / Short.BYTES);
      this.cached =
          new ProgramWriter.CachedTokens(
              step.of(StepLayout::positions),
              step.of(StepLayout::tables),
              step.of(StepLayout::blocks),
              pool);
    }

    Tensor array(ScratchArray array) {
      return arrays.computeIfAbsent(
          array,
          a ->
              program.tensor(
                  scratch,
                  a.place().offset(),
                  a.type(),
                  Layout.PLAIN,
                  rowCapacity(a.rows()),
                  a.columns()));
    }

    Tensor weight(Weight weight) {
      return declaredWeights.computeIfAbsent(
          weight.name(), name -> weights.declare(program, weight));
    }

    ProgramWriter.CachedTokens cached() {
      return cached;
    }

    Tensor frequencies(Rotation rotation) {
      float[] divisors =
          rotation
              .divisors()
              .map(w -> floats(file.read(file.tensor(w.name()))))
              .orElse(new float[0]);
      double[] frequencies = rotation.frequencies(divisors);
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(Double.BYTES * frequencies.length)
              .order(ByteOrder.nativeOrder());
      bytes.asDoubleBuffer().put(frequencies);
      DeviceBuffer buffer = keep(memory, device.allocate(bytes.capacity()));
      buffer.write(0, bytes);
      return program.tensor(buffer, 0, ElementType.F64, Layout.PLAIN, 1, frequencies.length);
    }

    private static float[] floats(byte[] bytes) {
      float[] values = new float[bytes.length / Float.BYTES];
      ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      return values;
    }
  }
}
