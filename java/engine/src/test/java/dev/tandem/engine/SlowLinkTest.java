package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.runtime.DeviceOptions;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A GPU behind a link that takes half a minute for the weights: who cancels a generation that waits
 * for them, or closes the model, does not wait that long.
 */
class SlowLinkTest {

  private static final ModelShape SHAPE =
      new ModelShape("slow", 6, 256, 4, 2, 64, 1024, 600, 256, 10_000, true, 1e-5f);
  private static final String SETTINGS = "TANDEM_EMULATED=link=400000";

  @TempDir static Path folder;
  private static Path file;

  @BeforeAll
  static void write() {
    EmulatedDeviceTest.needsTheLibrary();
    file = folder.resolve("slow.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.F16));
  }

  /** Prints how a generation that was cancelled ended, and the milliseconds that each end took. */
  static final class Child {
    private Child() {}

    public static void main(String[] arguments) throws InterruptedException {
      EngineOptions options =
          EngineOptions.of(DeviceOptions.cpu(2).withName("emulated:0/host")).withKvTokens(256);
      long closing;
      try (TandemModel model = TandemModel.open(Path.of(arguments[0]), options);
          Session session = model.newSession()) {
        CompletableFuture<Generation> generation =
            CompletableFuture.supplyAsync(() ->
                session.generate(
                    new int[] {1, 2, 3},
                    GenerationOptions.of(4, SamplingOptions.greedy()),
                    new GenerationListener() {}));
        Thread.sleep(300); // whether it has come to wait or not, it ends
        long cancelling = System.nanoTime();
        session.cancel();
        System.out.println(generation.join().reason());
        System.out.println((System.nanoTime() - cancelling) / 1_000_000);
        System.out.println(model.engine().isLoaded());
        closing = System.nanoTime();
      }
      System.out.println((System.nanoTime() - closing) / 1_000_000);
    }
  }

  @Test
  void whatWaitsForCopiesIsCancelledAndLoadingClosed() throws Exception {
    List<String> before = List.of("env", SETTINGS, "JAVA_TOOL_OPTIONS=");
    List<String> lines =
        new ArrayList<>(
            ChildJvm.run(before, Child.class, file.toString())
                .lines()
                .filter(line -> !line.startsWith("SLF4J") && !line.startsWith("Picked up"))
                .toList());
    assertEquals("CANCELLED", lines.get(0));
    assertTrue(Integer.parseInt(lines.get(1)) < 3000, lines::toString);
    assertEquals("false", lines.get(2), "loading was still under way");
    assertTrue(Integer.parseInt(lines.get(3)) < 15_000, lines::toString); // pieces under way
  }
}
