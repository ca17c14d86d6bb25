package dev.tandem.cli;

import static dev.tandem.cli.Tandem.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.TestData;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.GgufWriter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code tandem inspect}. */
class InspectTest {

  @TempDir Path folder;

  @Test
  void showsMetadataTensorsOperatorsAndWhatTheyCost() {
    String out = ok("inspect").out();
    assertTrue(out.contains("stories.gguf: GGUF version 3, 6.7 MiB\n"), out);
    assertTrue(out.contains("\n  general.architecture                    llama\n"), out);
    assertTrue(
        out.contains("\n  tokenizer.ggml.token_type               [1, 1, 1, 1, 1, 1, 1, 1, ...]\n"),
        out);
    assertTrue(
        out.matches("(?s).*\n  blk\\.3\\.ffn_up\\.weight +F16 +256 x 768 +384\\.0 KiB\n.*"), out);
    assertTrue(out.contains("\nOPERATORS, cost of a step of 1 token, context 512\n"), out);
    assertTrue(
        out.matches("(?s).*\n +3  attn_q +matmul +F16 +131 K +128\\.0 KiB +2\\.0 KiB\n.*"), out);
    assertTrue(
        out.endsWith(
            "\n"
                + "3.50 M parameters; per step 9.13 MFLOP, 6.7 MiB of weights, 1.0 MiB of KV cache;"
                + " KV cache per token 2.0 KiB\n"),
        out);
  }

  @Test
  void documentHasTheSame() {
    JsonNode json = ok("inspect", "--json").json();
    assertEquals(3, json.get("version").intValue());
    assertTrue(json.get("files").get(0).textValue().endsWith("stories.gguf"));
    assertTrue(json.get("bytes").longValue() > 7_000_000);
    assertEquals("llama", json.get("metadata").get("general.architecture").textValue());
    assertEquals(256, json.get("metadata").get("llama.context_length").intValue());
    assertEquals(1376, json.get("metadata").get("tokenizer.ggml.tokens").get("length").intValue());
    assertTrue(json.get("metadata").get("tokenizer.ggml.add_bos_token").booleanValue());
    assertEquals(38, json.get("tensors").size());
    assertEquals("[256,1376]", json.get("tensors").get(1).get("shape").toString());
    assertEquals(3_500_288, json.get("parameters").longValue());
    assertEquals(2048, json.get("kv_bytes_per_token").longValue());
    assertEquals("attn_norm", json.get("operators").get(1).get("name").textValue());
    double flops = 0;
    for (JsonNode operator : json.get("operators")) {
      flops += operator.get("cost").get("flops").doubleValue();
    }
    assertEquals(flops, json.get("cost").get("flops").doubleValue(), 1);
  }

  @Test
  void costDependsOnTheStep() {
    JsonNode one = ok("inspect", "--json", "--context", "100").json();
    JsonNode many = ok("inspect", "--json", "--tokens", "64", "--context", "100").json();
    assertEquals("{\"tokens\":64,\"context\":100}", many.get("workload").toString());
    assertTrue(flops(many) > 30 * flops(one), flops(many) + " and " + flops(one));
    assertTrue(
        ok("inspect", "--tokens", "64").out().contains("cost of a step of 64 tokens, context 512"));
  }

  @Test
  void tensorsThatNoOperatorReadsAreNamed() {
    assertFalse(ok("inspect").out().contains("unused"));
    assertEquals("[]", ok("inspect", "--json").json().get("unused_tensors").toString());
    GgufWriter file =
        SyntheticModel.writer(Models.tiny("more"), SyntheticModel.Options.of(TensorType.F32));
    for (int i = 0; i < 10; i++) {
      file.tensor("other\n" + i, TensorType.F32, List.of(1L), new byte[4]);
    }
    Path model = folder.resolve("more.gguf");
    file.write(model);
    String out = ok("inspect", "-m", model.toString()).out();
    assertTrue(out.contains("\nunused tensors: other\\n0, other\\n1, "), out);
    assertTrue(out.endsWith(", other\\n7 and 2 more\n"), out);
    JsonNode unused = ok("inspect", "--json", "-m", model.toString()).json().get("unused_tensors");
    assertEquals(10, unused.size());
    assertEquals("other\n9", unused.get(9).textValue());
    assertEquals("", ok("generate", "ba", "-n", "1", "-q", "-m", model.toString()).err());
  }

  private static double flops(JsonNode json) {
    return json.get("cost").get("flops").doubleValue();
  }

  @Test
  void splitModelIsShownAsOne() {
    Path whole = Models.tiny(folder, TensorType.F32);
    Path first = folder.resolve("split-00001-of-00003.gguf");
    SyntheticModel.writer(Models.tiny("split"), SyntheticModel.Options.of(TensorType.F32))
        .writeSplit(folder, "split", 3);
    JsonNode json =
        ok("inspect", "--json", "-m", folder.resolve("split-00002-of-00003.gguf").toString())
            .json();
    assertEquals(3, json.get("files").size());
    assertEquals(
        ok("inspect", "--json", "-m", whole.toString()).json().get("parameters"),
        json.get("parameters"));
    assertTrue(ok("inspect", "-m", first.toString()).out().contains(" in 3 parts\n"));
  }

  @Test
  void unsupportedArchitectureStillShowsWhatIsThere() {
    Path model = folder.resolve("other.gguf");
    new GgufWriter()
        .put("general.architecture", GgufValue.text("gemma9"))
        .tensor("some.weight", TensorType.MXFP4, List.of(64L, 2L), new byte[68])
        .write(model);
    String out = ok("inspect", "-m", model.toString()).out();
    assertTrue(out.matches("(?s).*\n  some\\.weight +MXFP4 +64 x 2 +68 bytes\n.*"), out);
    assertTrue(
        out.contains(
            "\nNo operators: " + model + ": general.architecture: 'gemma9' is not supported"),
        out);
    JsonNode json = ok("inspect", "--json", "-m", model.toString()).json();
    assertEquals(1, json.get("tensors").size());
    assertNull(json.get("operators"));
  }

  @Test
  void vocabularyAloneHasNoOperators() {
    Path model = folder.resolve("vocabulary.gguf");
    new GgufWriter().put("general.architecture", GgufValue.text("llama")).write(model);
    String out = ok("inspect", "-m", model.toString()).out();
    assertFalse(out.contains("TENSORS"), out);
    assertTrue(out.endsWith("\nNo operators: this file holds no tensors\n"), out);
    assertEquals(0, ok("inspect", "--json", "-m", model.toString()).json().get("tensors").size());
  }

  @Test
  void longAndHostileValuesStayOnTheirLine() {
    Path model = folder.resolve("evil.gguf");
    new GgufWriter()
        .put("general.architecture", GgufValue.text("llama"))
        .put("template", GgufValue.text("one\ntwo" + "x".repeat(500)))
        .put("evil\u001b[2J", GgufValue.text("\u001b]0;title\u0007\u202ekcab"))
        .write(model);
    String out = ok("inspect", "-m", model.toString()).out();
    assertTrue(out.contains("one\\ntwoxxx"), out);
    assertTrue(out.contains("xxx... (507 characters)\n"), out);
    assertTrue(out.contains("  evil\\u001b[2J"), out);
    assertTrue(out.contains("\\u001b]0;title\\u0007\\u202ekcab\n"), out);
    assertFalse(out.contains("\u001b"), out);
    JsonNode metadata = ok("inspect", "--json", "-m", model.toString()).json().get("metadata");
    assertEquals(507, metadata.get("template").textValue().length());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"gemma2-f16", "phi3-f16", "mixtral-q4_k_m", "llama-untied-iq4_xs", "llama-f16"})
  void realFilesOfManyFamiliesAreShown(String name) {
    Path model = TestData.path("golden/" + name + ".gguf");
    assertTrue(ok("inspect", "-m", model.toString()).out().contains("TENSORS (columns x rows)"));
    int tensors = GgufFile.open(model).tensors().size();
    assertEquals(
        tensors, ok("inspect", "--json", "-m", model.toString()).json().get("tensors").size());
  }
}
