package dev.tandem.bench;

import dev.tandem.runtime.AbortFlag;
import dev.tandem.runtime.Device;
import dev.tandem.runtime.DeviceBuffer;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.runtime.ElementType;
import dev.tandem.runtime.Layout;
import dev.tandem.runtime.Program;
import dev.tandem.runtime.ProgramWriter;
import java.nio.ByteBuffer;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** What crossing from Java to native code costs. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--enable-native-access=ALL-UNNAMED")
public class JniCallBenchmark {

  private static final int READ_BYTES = 1024;

  private Device device;
  private DeviceBuffer buffer;
  private Program empty;
  private AbortFlag flag;
  private final ByteBuffer bytes = ByteBuffer.allocateDirect(READ_BYTES);

  @Setup(Level.Trial)
  public void open() {
    device = Device.open(DeviceOptions.cpu(1));
    buffer = device.allocate(READ_BYTES);
    flag = new AbortFlag();
    ProgramWriter writer = device.newProgram();
    ProgramWriter.Tensor count = writer.tensor(buffer, 0, ElementType.I32, Layout.PLAIN, 1, 1);
    ProgramWriter.Tensor rows = writer.tensor(buffer, 64, ElementType.F32, Layout.PLAIN, 1, 16);
    writer.extent(count); // stays 0: the operation is skipped
    writer.add(rows, rows, rows);
    empty = writer.finish();
  }

  @TearDown(Level.Trial)
  public void close() {
    empty.close();
    flag.close();
    buffer.close();
    device.close();
  }

  /** A call with a handle and nothing to do. */
  @Benchmark
  public void clearFlag() {
    flag.clear();
  }

  /** A call that passes a direct buffer and copies 1 KiB. */
  @Benchmark
  public void readBuffer() {
    buffer.read(0, bytes.clear());
  }

  /** The call of every step, with a program that computes nothing. */
  @Benchmark
  public void runEmptyProgram() {
    empty.run(flag);
  }
}
