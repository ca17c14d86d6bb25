package dev.tandem.model.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.model.TestData;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files that others wrote: every model of the test data opens. */
class TestModelsTest {
  @ParameterizedTest
  @ValueSource(strings = {"golden", "vocab", "models"})
  void opensEveryModel(String folder) {
    List<Path> models = TestData.models(folder);
    assertFalse(models.isEmpty(), folder);
    for (Path model : models) {
      GgufFile file = GgufFile.open(model);
      assertFalse(file.metadata().string("general.architecture").isEmpty(), model.toString());
      assertTrue(file.metadata().strings("tokenizer.ggml.tokens").size() > 0, model.toString());
      assertEquals(folder.equals("vocab"), file.tensors().isEmpty(), model.toString());
    }
  }

  @Test
  void readsAModel() {
    GgufFile file = GgufFile.open(TestData.path("golden/llama-f16.gguf"));
    assertEquals(20, file.tensors().size());
    assertEquals(1e-5f, file.metadata().real("llama.attention.layer_norm_rms_epsilon"));
    assertEquals(320, file.metadata().integers("tokenizer.ggml.token_type").length);
    TensorInfo key = file.tensor("blk.0.attn_k.weight");
    assertEquals("blk.0.attn_k.weight F16 [256, 128]", key.toString());
    assertEquals(172_160, key.offset());
    assertEquals(65_536, file.read(key).length);
  }

  @Test
  void readsExperts() {
    GgufFile file = GgufFile.open(TestData.path("golden/mixtral-q4_0.gguf"));
    TensorInfo experts = file.tensor("blk.0.ffn_up_exps.weight");
    assertTrue(experts.matrices() > 1, experts.toString());
    byte[] all = file.read(experts);
    byte[] second = file.readRows(experts, experts.rows(), experts.rows());
    int bytes = (int) (experts.rows() * experts.rowBytes());
    assertEquals(ByteBuffer.wrap(all, bytes, bytes), ByteBuffer.wrap(second));
  }
}
