package dev.tandem.cli;

import static dev.tandem.cli.Tandem.run;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What goes wrong gives one clear line and the right exit code. */
class ErrorsTest {

  @TempDir Path folder;

  // ---- wrong usage: 2 ----

  @ParameterizedTest
  @CsvSource(
      delimiter = '~',
      value = {
        "generate x --temp -1     ~ --temp -1.0 is not possible: from 0 on; 0 always takes the"
            + " likeliest token",
        "generate x --temp NaN    ~ --temp NaN is not possible: from 0 on; 0 always takes the"
            + " likeliest token",
        "generate x --temp Infinity ~ --temp Infinity is not possible: from 0 on; 0 always takes"
            + " the likeliest token",
        "generate x --temp warm   ~ Invalid value for option '--temp': 'warm' is no number",
        "generate x --top-k -1    ~ --top-k -1 is not possible: from 0 on; 0 draws from all tokens",
        "generate x --top-p 1.01  ~ --top-p 1.01 is not possible: from 0 to 1; 1 draws from all"
            + " tokens",
        "generate x --min-p -0.1  ~ --min-p -0.1 is not possible: from 0 to 1; 0 draws from all"
            + " tokens",
        "generate x --typical NaN ~ --typical NaN is not possible: from 0 to 1; 1 draws from all"
            + " tokens",
        "generate x --repeat-penalty 0 ~ --repeat-penalty 0.0 is not possible: from 0.01 to 100; 1"
            + " changes nothing",
        "generate x --presence-penalty 101 ~ --presence-penalty 101.0 is not possible: from -100 to"
            + " 100; 0 changes nothing",
        "generate x --frequency-penalty NaN ~ --frequency-penalty NaN is not possible: from -100 to"
            + " 100; 0 changes nothing",
        "generate x --repeat-last-n -1 ~ --repeat-last-n -1 is not possible: from 0 to 1024 tokens",
        "generate x --repeat-last-n 1025 ~ --repeat-last-n 1025 is not possible: from 0 to 1024"
            + " tokens",
        "generate x --logit-bias 5 ~ --logit-bias '5' is not possible: a token's id, + or -, and a"
            + " number or inf: 1234-5",
        "generate x --logit-bias 5-NaN ~ --logit-bias '5-NaN' is not possible: a token's id, + or"
            + " -, and a number or inf: 1234-5",
        "generate x -l 5+1 -l 5-inf ~ --logit-bias names token 5 twice: leave one out",
        "generate x -l 1376+1     ~ --logit-bias of token 1376 is not possible: ids go from 0 to"
            + " 1375",
        "generate x --repeat-last-n 1024 --repeat-penalty 2 -l 5-1 ~ 1 biases and 1024 penalised"
            + " tokens are more than 1024; choose fewer",
        "generate x -n -2         ~ -n -2 is not possible: from 0 on, or -1 until the text ends",
        "generate x -n many       ~ Invalid value for option '--predict': 'many' is no whole number"
            + " up to 2147483647",
        "generate x -n 3000000000 ~ Invalid value for option '--predict': '3000000000' is no whole"
            + " number up to 2147483647",
        "generate x -n            ~ Missing required parameter for option '--predict' (N)",
        "generate x -s abc        ~ Invalid value for option '--seed': 'abc' is no whole number of"
            + " at most 64 bits",
        "generate x -t 0          ~ -t 0 is not possible: from 1 to 1024 threads",
        "generate x -t 1025       ~ -t 1025 is not possible: from 1 to 1024 threads",
        "generate x -c 0          ~ -c 0 is not possible: at least 1 token",
        "generate x --gpu-memory 1GiB ~ --gpu-memory is for GPUs, and --device is cpu: name one"
            + " (--device cuda:0), or leave it out",
        "generate x --device cuda:0 --gpu-memory 6GB ~ --gpu-memory '6GB' is not possible: a size"
            + " such as 512MiB or 6GiB, at least 1MiB",
        "bench model --device cuda:0 --gpu-memory 5 ~ --gpu-memory '5' is not possible: a size such"
            + " as 512MiB or 6GiB, at least 1MiB",
        "generate x -b 0          ~ -b 0 is not possible: from 1 to 65536 tokens",
        "generate x y             ~ 'y' is one argument too many: a text of several words needs"
            + " quotes",
        "generate x --tmp 0       ~ there is no option '--tmp'; did you mean '--temp'?",
        "generate x --temperature 0 ~ there is no option '--temperature'; did you mean '--temp'?",
        "generate -x              ~ there is no option '-x'; a text that begins with - stands"
            + " behind --",
        "inspect model.gguf       ~ 'model.gguf' belongs to no option",
        "inspect --tokens 0       ~ --tokens 0 is not possible: at least 1 token",
        "inspect --context 0      ~ --context 0 is not possible: at least 1 token",
        "tokenize x -f y          ~ the text is named twice: choose one of TEXT and -f",
        "tokenize -0              ~ -0 prints ids only: add --ids",
        "tokenize -0 --ids x      ~ -0 reads many texts from standard input or -f: leave out TEXT",
        "logits --tokens 1        ~ Missing required option: '--output=FILE'",
        "logits -o x              ~ Missing required argument (specify one of these): (--tokens=IDS"
            + " | --tokens-file=FILE)",
        "logits --tokens 1 --tokens-file y -o x ~ --tokens=IDS, --tokens-file=FILE are mutually"
            + " exclusive (specify only one)",
        "logits --tokens , -o x   ~ --tokens holds no token ids: give at least one",
        "logits --tokens 1,x -o x ~ --tokens with 'x' is not possible: token ids are whole numbers",
        "logits --tokens 1 --last 0 -o x ~ --last 0 is not possible: at least 1 row",
        "bench model -p -1        ~ -p -1 is not possible: 0 or more tokens",
        "bench model -n 4,-2      ~ -n -2 is not possible: 0 or more tokens",
        "bench model -d -1        ~ -d -1 is not possible: 0 or more tokens",
        "bench model -r 0         ~ -r 0 is not possible: at least once",
        "bench model -p 0 -n 0    ~ nothing to measure: give -p or -n more than 0 tokens",
        "bench modl               ~ there is no command 'modl'; did you mean 'model'?",
        "genrate x                ~ there is no command 'genrate'; did you mean 'generate'?",
        "summon                   ~ there is no command 'summon'",
        "chat --temp -1           ~ --temp -1.0 is not possible: from 0 on; 0 always takes the"
            + " likeliest token",
        "chat -n -2               ~ -n -2 is not possible: from 0 on, or -1 until the text ends",
        "chat -c 0                ~ -c 0 is not possible: at least 1 token",
        "chat Hello               ~ 'Hello' belongs to no option",
        "-m x                     ~ there is no option '-m'; options of a command stand behind it",
        "generate x --device GPU  ~ --device 'GPU' is not possible: cpu, cuda:0, emulated:0/cuda,"
            + " emulated:0/host, or another number than 0 ('tandem devices' shows the GPUs)",
        "chat --on-device-loss x  ~ --on-device-loss 'x' is not possible: fail, cpu",
        "bench kernels --type Q8_0 ~ --type is for shapes, and a model has its own: add --shape",
        "bench kernels --shape stories --type Q9 ~ --type 'Q9' is not possible: F32, F16, Q4_0,"
            + " Q4_1, Q8_0, Q4_K, Q6_K, BF16",
        "bench serve --connect localhost:1 --speed 2 ~ --speed is that of a trace: add --trace"
            + " FILE",
        "completion fish          ~ SHELL 'fish' is not possible: bash, zsh",
        "completion bash zsh      ~ 'zsh' is one argument too many",
      })
  void wrongUsageIsToldInALine(String words, String message) {
    Tandem.Result result = run(words.strip().split(" "));
    assertEquals(2, result.code(), result.err());
    assertEquals("", result.out());
    String[] lines = result.err().split("\n");
    assertEquals("tandem: " + message, lines[0]);
    assertTrue(lines[1].matches("Try 'tandem( \\w+)* --help'\\."), lines[1]);
    assertEquals(2, lines.length, result.err());
  }

  @Test
  void emptyFileNameIsToldAsSuch() {
    Tandem.Result result = run("generate", "x", "-m", "");
    assertEquals(2, result.code());
    assertTrue(result.err().contains("'--model': the name of the file is empty"), result.err());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "bench", "--verbose"})
  void withoutACommandTheyAreShown(String words) {
    Tandem.Result result = words.isEmpty() ? run() : run(words);
    assertEquals(2, result.code());
    assertEquals("", result.out());
    assertTrue(
        result.err().startsWith("tandem: a command is missing\n\nUsage: tandem "), result.err());
    assertTrue(result.err().contains("\nCommands:\n"), result.err());
  }

  // ---- failures: 1 ----

  /** Runs a command that must fail, and returns the one line that it says. */
  private static String failure(String... words) {
    Tandem.Result result = run(words);
    assertEquals(1, result.code(), result.err());
    assertEquals("", result.out());
    String[] lines = result.err().split("\n");
    assertEquals(1, lines.length, result.err());
    assertTrue(lines[0].startsWith("tandem: "), lines[0]);
    return lines[0].substring("tandem: ".length());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "generate x -m",
        "inspect -m",
        "tokenize x -m",
        "logits --tokens 1 -o x -m",
        "chat -m",
        "perplexity -m",
        "perplexity --kl-base",
        "bench model -m"
      })
  void missingModelIsNamed(String words) {
    assertEquals("/no/model.gguf: no such file", failure((words + " /no/model.gguf").split(" ")));
  }

  @Test
  void whatIsNoModelIsTold() throws IOException {
    Path text = Files.writeString(folder.resolve("text.gguf"), "this is no model, but a text");
    assertTrue(failure("generate", "x", "-m", folder.toString()).contains("is a directory"));
    assertTrue(failure("generate", "x", "-m", text.toString()).contains("this is not a GGUF file"));
    Files.writeString(text, "");
    assertTrue(failure("generate", "x", "-m", text.toString()).startsWith(text + ": "));
  }

  @Test
  void modelThatIsCutOffIsTold() throws IOException {
    Path model = Models.tiny(folder, TensorType.F32);
    byte[] bytes = Files.readAllBytes(model);
    Files.write(model, java.util.Arrays.copyOf(bytes, bytes.length - 1000));
    assertTrue(
        failure("generate", "x", "-m", model.toString()).contains("it is truncated or damaged"));
  }

  @Test
  void unsupportedArchitectureIsNamed() {
    Path model = folder.resolve("other.gguf");
    new GgufWriter()
        .put("general.architecture", GgufValue.text("gemma9"))
        .tensor("x", TensorType.F32, java.util.List.of(1L), new byte[4])
        .write(model);
    String message = failure("generate", "x", "-m", model.toString());
    assertTrue(
        message.contains("general.architecture: 'gemma9' is not supported; supported: llama"),
        message);
  }

  @Test
  void unsupportedTensorTypeIsNamed() {
    Path model = Models.tiny(folder, TensorType.Q2_K);
    String message = failure("generate", "x", "-m", model.toString());
    assertTrue(
        message.matches(".*tensor \\S+: type Q2_K is not supported; supported: F32, F16, .*"),
        message);
  }

  @Test
  void tooLittleMemoryIsToldWithTheRemedy() {
    String message = failure("generate", "x", "-q", "-c", "268435456");
    assertTrue(
        message.matches(
            "Tandem Stories needs .* GiB .* are available; choose a context of at most \\d+ tokens"
                + " \\(-c\\)"),
        message);
    message = failure("generate", "x", "-q", "-c", "2000000000");
    assertTrue(message.startsWith("context: 2000000000 tokens are not possible; "), message);
  }

  @Test
  void fileOfAPromptThatCannotBeReadIsNamed() {
    assertEquals("/no/prompt: there is no folder /no", failure("generate", "-f", "/no/prompt"));
    String here = folder.resolve("prompt").toString();
    assertEquals(here + ": no such file", failure("generate", "-f", here));
    assertEquals(folder + ": Is a directory", failure("generate", "-f", folder.toString()));
    assertEquals(folder + ": Is a directory", failure("tokenize", "-f", folder.toString()));
    assertEquals(
        folder + ": Is a directory",
        failure("logits", "-o", "x", "--tokens-file", folder.toString()));
  }

  @Test
  void outputThatCannotBeWrittenIsNamed() {
    assertEquals(
        "/no/x.npy: there is no folder /no", failure("logits", "--tokens", "1", "-o", "/no/x.npy"));
    assertEquals(
        folder + ": Is a directory", failure("logits", "--tokens", "1", "-o", folder.toString()));
    assertEquals(
        "/dev/full: No space left on device",
        failure("logits", "--tokens", "1", "-o", "/dev/full"));
    assertEquals("/no/x.gguf: there is no folder /no", failure("synth", "-o", "/no/x.gguf"));
  }

  @Test
  void tokenBeyondTheVocabularyIsNamed() {
    assertEquals(
        "token 1376 is not in the vocabulary: ids go from 0 to 1375",
        failure("logits", "--tokens", "5,1376", "-o", "x"));
    assertEquals(
        "token -1 is not in the vocabulary: ids go from 0 to 1375",
        failure("logits", "--tokens=-1", "-o", "x"));
  }

  // ---- streams that fail ----

  private static Tandem.Result withOutput(String reason, String... words) {
    OutputStream failing =
        new OutputStream() {
          @Override
          public void write(int b) throws IOException {
            throw new IOException(reason);
          }
        };
    return run(new ByteArrayInputStream(new byte[0]), failing, Set.of(), words);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "generate x -q",
        "generate x -q --json",
        "tokenize x",
        "inspect",
        "--help",
        "--version",
        "generate --help"
      })
  void readerThatWentAwayEndsACommandQuietly(String words) {
    Tandem.Result result = withOutput("Broken pipe", words.split(" "));
    assertEquals(0, result.code());
    assertEquals("", result.err());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "generate x -q",
        "generate x -q --json",
        "tokenize x",
        "inspect",
        "--help",
        "--version",
        "generate --help"
      })
  void fullDiskIsAFailure(String words) {
    Tandem.Result result = withOutput("No space left on device", words.split(" "));
    assertEquals(1, result.code());
    assertEquals(
        "tandem: standard output cannot be written: No space left on device\n", result.err());
  }

  @Test
  void standardInputThatCannotBeReadIsAFailure() {
    InputStream failing =
        new InputStream() {
          @Override
          public int read() throws IOException {
            throw new IOException("Bad file descriptor");
          }
        };
    Tandem.Result result = run(failing, OutputStream.nullOutputStream(), Set.of(), "tokenize");
    assertEquals(1, result.code());
    assertEquals("tandem: standard input cannot be read: Bad file descriptor\n", result.err());
  }

  // ---- where an error came from ----

  @ParameterizedTest
  @ValueSource(
      strings = {
        "--verbose generate x -m /no",
        "generate --verbose x -m /no",
        "generate x -m /no --verbose",
        "bench model -m /no --verbose",
        "bench --verbose model -m /no"
      })
  void verboseTellsWherever(String words) {
    Tandem.Result result = run(words.split(" "));
    assertEquals(1, result.code());
    assertTrue(result.err().contains("\tat dev.tandem.cli."), result.err());
    assertTrue(result.err().endsWith("tandem: /no: no such file\n"), result.err());
  }

  @Test
  void promptThatLooksLikeVerboseIsAPrompt() {
    Tandem.Result result = run("generate", "-m", "/no", "--", "--verbose");
    assertFalse(result.err().contains("\tat "), result.err());
  }

  @Test
  void defectTellsWhereItIs() {
    InputStream defect =
        new InputStream() {
          @Override
          public int read() {
            throw new IllegalStateException("a defect");
          }
        };
    Tandem.Result result = run(defect, OutputStream.nullOutputStream(), Set.of(), "tokenize");
    assertEquals(1, result.code());
    assertTrue(result.err().contains("\tat dev.tandem.cli."), result.err());
    assertTrue(
        result
            .err()
            .endsWith("tandem: internal error: java.lang.IllegalStateException: a defect\n"),
        result.err());
  }

  @Test
  void memoryOfTheJvmIsToldAsSuch() {
    InputStream large =
        new InputStream() {
          @Override
          public int read() {
            throw new OutOfMemoryError("Java heap space");
          }
        };
    Tandem.Result result = run(large, OutputStream.nullOutputStream(), Set.of(), "tokenize");
    assertEquals(1, result.code());
    assertTrue(
        result.err().startsWith("tandem: the Java heap is full (Java heap space)"), result.err());
  }
}
