package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.TandemClient;
import dev.tandem.client.TandemException;
import dev.tandem.client.TokenStream;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Sampling;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real {@code tandem serve} that is killed under load, and what its clients make of that. */
@Timeout(120)
class ServerLossTest {

  private static final int TOGETHER = 4;

  /** So long that nothing ends by itself. */
  private static final int CONTEXT = 60_000;

  private static final ModelShape SHAPE =
      new ModelShape("long", 1, 64, 4, 2, 16, 64, 300, CONTEXT, 10_000, true, 1e-5f);
  private static final Pattern PORT = Pattern.compile("binary protocol +127\\.0\\.0\\.1:(\\d+)");

  @TempDir private Path folder;

  @Test
  void whatRanIsReportedAndTheNextRequestFindsTheNewServer() throws Exception {
    Path model = folder.resolve("long.gguf");
    SyntheticModel.write(model, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    Process first = serve(model, "0", folder.resolve("first"));
    try {
      int port = port(first, folder.resolve("first"));
      ClientOptions.Builder options =
          ClientOptions.to("localhost", port)
              .connections(TOGETHER)
              .bufferedEvents(CONTEXT) // nobody takes them before the end
              .reconnectFor(Duration.ofSeconds(60));
      try (TandemClient client = TandemClient.connect(options.build())) {
        String text = text(client);
        List<TokenStream> streams = new ArrayList<>();
        for (int i = 0; i < TOGETHER; i++) {
          streams.add(client.generate(request(CONTEXT - 100)));
        }
        streams.forEach(stream -> assertTrue(stream.iterator().hasNext(), "it is under way"));
        first.destroyForcibly(); // SIGKILL
        assertEquals(128 + 9, first.waitFor());
        for (TokenStream stream : streams) {
          TandemException failure = assertThrows(TandemException.class, stream::finished);
          assertEquals(ErrorCode.UNAVAILABLE, failure.code());
          assertTrue(failure.retry());
          assertTrue(failure.getMessage().contains("localhost:" + port), failure.getMessage());
        }
        Process second = serve(model, Integer.toString(port), folder.resolve("second"));
        try {
          assertEquals(text, text(client), "by the same client, of the new server");
          assertTrue(second.isAlive());
        } finally {
          second.destroyForcibly();
        }
      }
    } finally {
      first.destroyForcibly();
    }
  }

  private static Process serve(Path model, String port, Path log) throws IOException {
    return Tandem.process(
            List.of("--enable-native-access=ALL-UNNAMED"),
            "serve",
            "-m",
            model.toString(),
            "--port",
            port,
            "--http-port",
            "0",
            "-c",
            Integer.toString(CONTEXT),
            "--parallel",
            Integer.toString(TOGETHER))
        .redirectErrorStream(true)
        .redirectOutput(log.toFile())
        .start();
  }

  private static int port(Process server, Path log) throws Exception {
    while (true) {
      Matcher told = PORT.matcher(Files.readString(log));
      if (told.find()) {
        return Integer.parseInt(told.group(1));
      }
      assertTrue(server.isAlive(), Files.readString(log));
      TimeUnit.MILLISECONDS.sleep(20);
    }
  }

  /** A server listens while its model is still being loaded. */
  private static String text(TandemClient client) throws InterruptedException {
    while (true) {
      try (TokenStream stream = client.generate(request(20))) {
        return stream.text();
      } catch (TandemException e) {
        assertEquals(ErrorCode.LOADING, e.code(), e.getMessage());
        TimeUnit.MILLISECONDS.sleep(20);
      }
    }
  }

  private static GenerateRequest request(int tokens) {
    return GenerateRequest.newBuilder()
        .setText("ba")
        .setSampling(Sampling.newBuilder().setTemperature(0))
        .setMaxTokens(tokens)
        .setIgnoreEnd(true)
        .build();
  }
}
