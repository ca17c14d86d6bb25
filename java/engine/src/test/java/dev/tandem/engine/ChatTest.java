package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.text.chat.ChatMessage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Conversations in a session: what was said is not read again. */
class ChatTest {
  private static final ModelShape SHAPE =
      new ModelShape("chat", 2, 64, 4, 2, 16, 96, 300, 1024, 10_000, true, 1e-5f);
  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(1024);
  private static final GenerationOptions ANSWER =
      GenerationOptions.of(12, SamplingOptions.seeded(5)).ignoringEnd();
  private static final String TEMPLATE =
      "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
          + "{% if add_generation_prompt %}[assistant]{% endif %}";

  @TempDir private Path folder;
  private Path base;
  private Path chat;

  @BeforeEach
  void write() {
    base = folder.resolve("base.gguf");
    SyntheticModel.write(base, SHAPE, SyntheticModel.Options.of(TensorType.Q8_0));
    chat =
        new ModelCopy(base)
            .put("tokenizer.chat_template", GgufValue.text(TEMPLATE))
            .write(folder.resolve("chat.gguf"));
  }

  @Test
  void theSecondTurnDoesNotReadTheFirstAgain() {
    try (TandemModel model = TandemModel.open(chat, OPTIONS);
        Session session = model.newSession();
        Session other = model.newSession()) {
      List<ChatMessage> messages = new ArrayList<>(List.of(ChatMessage.system("s".repeat(100))));
      for (int turn = 0; turn < 5; turn++) {
        messages.add(ChatMessage.user("question " + turn));
        StringBuilder answer = new StringBuilder();
        Generation generation = session.chat(messages, ANSWER, answer::append);
        int prompt =
            model.tokenizer().encode(rendered(messages), false).length
                + model.tokenizer().beginTokens().length;
        assertEquals(prompt, generation.cachedTokens() + generation.promptTokens());
        if (turn > 0) {
          assertTrue(generation.cachedTokens() > 100, generation::toString);
          assertTrue(generation.promptTokens() < 80, generation::toString);
        }
        // What was kept is what would be read: another session gives the same answer.
        StringBuilder fresh = new StringBuilder();
        assertEquals(0, other.chat(messages, ANSWER, fresh::append).cachedTokens());
        assertEquals(fresh.toString(), answer.toString());
        other.reset();
        messages.add(ChatMessage.assistant(answer.toString()));
      }
    }
  }

  @Test
  void aConversationThatChangesIsReadFromWhereItDiffers() {
    try (TandemModel model = TandemModel.open(chat, OPTIONS);
        Session session = model.newSession()) {
      List<ChatMessage> first =
          List.of(ChatMessage.system("a".repeat(50)), ChatMessage.user("one"));
      List<ChatMessage> second =
          List.of(ChatMessage.system("a".repeat(50)), ChatMessage.user("two"));
      StringBuilder expected = new StringBuilder();
      session.chat(second, ANSWER, expected::append);
      session.reset();
      session.chat(first, ANSWER, text -> {});
      StringBuilder answer = new StringBuilder();
      Generation generation = session.chat(second, ANSWER, answer::append);
      assertTrue(generation.cachedTokens() > 50, generation::toString);
      assertEquals(expected.toString(), answer.toString());
      // The same again: at least one token is read, to know what follows.
      assertEquals(1, session.chat(second, ANSWER, text -> {}).promptTokens());
    }
  }

  @Test
  void withoutATemplateTheContentsAreJoined() {
    try (TandemModel model = TandemModel.open(base, OPTIONS);
        Session session = model.newSession();
        Session plain = model.newSession()) {
      assertTrue(model.chatTemplate().isBaseModel());
      StringBuilder answer = new StringBuilder();
      session.chat(
          List.of(ChatMessage.user("one"), ChatMessage.user("two")), ANSWER, answer::append);
      StringBuilder expected = new StringBuilder();
      plain.generate("one\ntwo", ANSWER, expected::append);
      assertEquals(expected.toString(), answer.toString());
    }
  }

  private static String rendered(List<ChatMessage> messages) {
    StringBuilder text = new StringBuilder();
    messages.forEach(
        m -> text.append('[').append(m.role()).append(']').append(m.content()).append('\n'));
    return text.append("[assistant]").toString();
  }
}
