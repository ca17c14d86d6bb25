package dev.tandem.examples;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.machine.HostResources;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.text.TokenBuffer;
import java.nio.file.Path;

/** Continues a text, and prints it as it comes. */
public final class Generate {

  public static void main(String[] arguments) {
    Path file = Path.of(arguments[0]);
    int threads = HostResources.ofThisMachine().computeThreads();
    try (TandemModel model = TandemModel.open(file, EngineOptions.of(DeviceOptions.cpu(threads)));
        Session session = model.newSession()) {
      String prompt = "Once upon a time";
      TokenBuffer tokens = new TokenBuffer();
      tokens.addAll(model.tokenizer().beginTokens());
      tokens.addAll(model.tokenizer().encode(prompt, false));

      System.out.print(prompt);
      GenerationOptions options = new GenerationOptions(60, SamplingOptions.greedy(), false);
      Generation generation = session.generate(tokens.toArray(), options, System.out::write);

      System.out.println();
      System.out.println(generation.generatedTokens() + " tokens, end: " + generation.reason());
    }
  }
}
