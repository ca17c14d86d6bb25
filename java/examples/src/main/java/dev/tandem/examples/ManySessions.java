package dev.tandem.examples;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Continues several texts at the same time: each as if it were alone. */
public final class ManySessions {

  public static void main(String[] arguments) throws Exception {
    List<String> beginnings = List.of("Once upon a time", "There was once a fox", "One day, Lily");
    EngineOptions options = EngineOptions.ofThisMachine().withKvTokens(1024); // of all together
    try (TandemModel model = TandemModel.open(Path.of(arguments[0]), options);
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Future<String>> texts =
          beginnings.stream().map(text -> threads.submit(() -> continued(model, text))).toList();
      for (Future<String> text : texts) {
        System.out.println(text.get());
      }
    }
  }

  private static String continued(TandemModel model, String beginning) {
    StringBuilder text = new StringBuilder(beginning);
    try (Session session = model.newSession()) {
      session.generate(
          beginning,
          GenerationOptions.of(40, SamplingOptions.seeded(7)).stoppingAt("."),
          text::append);
    }
    return text.toString();
  }
}
