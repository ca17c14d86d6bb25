package dev.tandem.examples;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.runtime.DeviceOptions;
import java.nio.file.Path;

/** Continues a text, and prints it as it comes. */
public final class Generate {

  public static void main(String[] arguments) {
    Path file = Path.of(arguments[0]);
    int threads = HostResources.ofThisMachine().computeThreads();
    EngineOptions options = EngineOptions.of(DeviceOptions.cpu(threads));
    try (TandemModel model = TandemModel.open(file, options);
        Session session = model.newSession()) {
      String prompt = "Once upon a time";
      System.out.print(prompt);
      Generation generation =
          session.generate(
              prompt, GenerationOptions.of(60, SamplingOptions.greedy()), System.out::print);
      System.out.println();
      System.out.println(generation.generatedTokens() + " tokens, end: " + generation.reason());
    }
  }
}
