package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static dev.tandem.cli.Tandem.runProcess;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** GPUs that are full, fail, or are lost, as people see it: on the emulated one. */
class GpuWeatherTest {

  private static final String DEVICE = "emulated:0/host";
  private static final String[] STORY = {"generate", "Once upon a time", "-s", "5", "-n", "40"};
  private static final String LOST = "tandem: emulated:0/host: emulated:0 is lost";

  @TempDir private Path folder;

  @BeforeAll
  static void needsTheLibrary() {
    Tandem.Result run = Tandem.run("generate", "x", "-n", "1", "--device", DEVICE);
    assumeFalse(run.err().contains("this installation has no"), run.err());
  }

  private static String[] words(String[] first, String... others) {
    List<String> words = new ArrayList<>(List.of(first));
    words.addAll(List.of(others));
    return words.toArray(String[]::new);
  }

  private static String[] onDevice(String... others) {
    return words(words(STORY, "--device", DEVICE), others);
  }

  /** A failure is one line, without a stack trace. */
  private static String failure(Tandem.Result run) {
    assertEquals(1, run.code(), run.err());
    assertFalse(run.err().contains("\tat "), run.err());
    return run.err().lines().reduce((first, second) -> second).orElseThrow();
  }

  // ---- --gpu-memory ----

  @ParameterizedTest
  @ValueSource(
      strings = {
        "generate Once -n 2",
        "logits --tokens 1,2 -o OUT",
        "perplexity -f TEXT -c 32",
        "bench model -p 4 -n 2 -r 1"
      })
  void aLimitIsKeptOrRefused(String command) throws IOException {
    Path text = Files.writeString(folder.resolve("text"), "Once upon a time. ".repeat(30));
    String named =
        command
            .replace("OUT", folder.resolve("out.npy").toString())
            .replace("TEXT", text.toString());
    String[] words = words(named.split(" "), "--device", DEVICE, "--gpu-memory");
    ok(words(words, "40MiB"));
    String little = failure(Tandem.run(words(words, "2MiB")));
    assertTrue(little.contains("2.0 MiB are available on emulated:0/host"), little);
    String much = failure(Tandem.run(words(words, "100GiB")));
    assertTrue(much.contains(" 8.00 GiB of memory free, and 100.00 GiB are to be used"), much);
    assertTrue(much.contains("(--gpu-memory)"), much);
  }

  @Test
  void theContextIsMadeForTheLimit() {
    String err = ok(onDevice("--gpu-memory", "14MiB", "--stats")).err();
    assertTrue(err.contains("on emulated:0/host "), err);
    String tooLong = failure(Tandem.run(onDevice("--gpu-memory", "14MiB", "-c", "9000")));
    assertTrue(tooLong.contains("choose a context of at most"), tooLong);
  }

  /** What is free is asked when a device is opened, and the message has it. */
  @Test
  void freeMemoryIsWhatTheDeviceHasLeft() {
    Map<String, String> small = Map.of("TANDEM_EMULATED", "memory=33554432");
    assertEquals(0, runProcess(small, onDevice()).code());
    assertEquals(0, runProcess(small, onDevice("--gpu-memory", "32MiB")).code());
    String more = failure(runProcess(small, onDevice("--gpu-memory", "33MiB")));
    assertTrue(more.contains("emulated:0/host has 32.00 MiB of memory free, and 33.00"), more);
  }

  // ---- full, or failing ----

  /** Whichever allocation of loading finds no room: weights, cache, activations, work memory. */
  @Test
  void memoryThatSomebodyElseTookMeanwhile() {
    byte[] expected = ok(STORY).bytes();
    int failures = 0;
    for (int allocation = 1; allocation <= 9; allocation += 2) {
      Map<String, String> full = Map.of("TANDEM_EMULATED", "fail-allocation=" + allocation);
      Tandem.Result run = runProcess(full, onDevice());
      if (run.code() == 0) {
        assertArrayEquals(expected, run.bytes());
        continue;
      }
      failures++;
      String message = failure(run);
      assertTrue(message.contains("emulated:0/host has no "), message);
      assertTrue(message.contains(" of memory left: "), message);
      assertTrue(message.contains("end who uses the rest, or use less"), message);
    }
    assertTrue(failures > 2, failures + " failures");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 17})
  void aCopyThatFailsWhileTheModelIsLoaded(int copy) {
    Map<String, String> failing = Map.of("TANDEM_EMULATED", "fail-copy=" + copy);
    String message = failure(runProcess(failing, onDevice("-q")));
    assertTrue(message.contains("emulated:0/host: copy to device of "), message);
  }

  @Test
  void aCopyThatFailsWhileResultsAreRead() {
    int failures = 0;
    for (int copy = 38; copy < 42; copy++) {
      Map<String, String> failing = Map.of("TANDEM_EMULATED", "fail-copy=" + copy);
      Path out = folder.resolve("logits.npy");
      Tandem.Result run =
          runProcess(
              failing, "logits", "--tokens", "1,2,3", "-o", out.toString(), "--device", DEVICE);
      failures += run.code();
      assertTrue(run.code() == 0 || failure(run).contains(": copy to "), run.err());
    }
    assertTrue(failures > 0, "none failed");
  }

  // ---- lost ----

  @ParameterizedTest
  @CsvSource({"1, false", "30, false", "900, true"})
  void aLostDeviceEndsTheCommand(int operation, boolean hasBegun) {
    Map<String, String> lost = Map.of("TANDEM_EMULATED", "lose-at=" + operation);
    Tandem.Result run = runProcess(lost, onDevice("-q"));
    assertEquals(LOST, failure(run));
    assertEquals(hasBegun, run.out().startsWith("Once upon a time"), run.out());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 30, 900})
  void orTheCpuGoesOn(int operation) {
    Map<String, String> lost = Map.of("TANDEM_EMULATED", "lose-at=" + operation);
    Tandem.Result run = runProcess(lost, onDevice("--on-device-loss", "cpu"));
    assertEquals(0, run.code(), run.err());
    assertArrayEquals(ok(STORY).bytes(), run.bytes());
    assertTrue(run.err().endsWith(LOST + ": went on with the CPU\n"), run.err());
  }

  @Test
  void aChatGoesOnWithTheCpuToo() throws IOException, InterruptedException {
    Path messages = Files.writeString(folder.resolve("messages"), "Once\nupon\na time\n");
    List<String> answers = new ArrayList<>();
    for (String settings : List.of("", "lose-at=1500")) {
      ProcessBuilder chat =
          Tandem.process(
              List.of("--enable-native-access=ALL-UNNAMED"),
              "chat",
              "-s",
              "3",
              "-n",
              "12",
              "--device",
              DEVICE,
              "--on-device-loss",
              "cpu");
      chat.environment().put("TANDEM_EMULATED", settings);
      Path out = folder.resolve("out");
      Path err = folder.resolve("err");
      Process process =
          chat.redirectInput(messages.toFile())
              .redirectOutput(out.toFile())
              .redirectError(err.toFile())
              .start();
      assertTrue(process.waitFor(60, TimeUnit.SECONDS));
      assertEquals(0, process.exitValue(), Files.readString(err));
      assertEquals(!settings.isEmpty(), Files.readString(err).contains("went on with the CPU"));
      answers.add(Files.readString(out));
    }
    assertEquals(answers.get(0), answers.get(1));
    assertEquals(3, answers.get(0).lines().count());
  }
}
