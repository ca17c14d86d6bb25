package dev.tandem.engine;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.model.ModelShape;
import dev.tandem.model.SyntheticModel;
import dev.tandem.model.format.TensorType;
import dev.tandem.model.gguf.GgufValue;
import dev.tandem.model.gguf.ModelFormatException;
import dev.tandem.runtime.DeviceOptions;
import dev.tandem.text.TextStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SessionTest {
  private static final int VOCABULARY = 300;
  private static final int END = 2; // of text, in synthetic vocabularies
  private static final int CONTEXT = 96;
  private static final ModelShape SHAPE =
      new ModelShape("session", 2, 64, 4, 2, 16, 96, VOCABULARY, 512, 10_000, true, 1e-5f);
  private static final EngineOptions OPTIONS =
      EngineOptions.of(DeviceOptions.cpu(2)).withKvTokens(CONTEXT).withStep(16, 1);
  private static final int[] PROMPT = {1, 270, 280, 290, 265};
  private static final GenerationListener NOBODY = new GenerationListener() {};

  @TempDir private static Path folder;

  private static Path file;
  private static TandemModel model;
  private Session session;

  @BeforeAll
  static void load() {
    file = folder.resolve("session.gguf");
    SyntheticModel.write(file, SHAPE, SyntheticModel.Options.of(TensorType.F16));
    model = TandemModel.open(file, OPTIONS);
  }

  @AfterAll
  static void unload() {
    model.close();
    model.close();
  }

  @BeforeEach
  void open() {
    session = model.newSession();
  }

  @AfterEach
  void noBlockIsLost() {
    session.close();
    session.close();
    assertEquals(CONTEXT / 16, model.engine().cache().freeBlocks());
  }

  @Test
  void asManyTokensAsAskedFor() {
    for (int most : new int[] {0, 1, 7}) {
      session.reset();
      Heard heard = new Heard();
      Generation generation = session.generate(PROMPT, greedy(most), heard);
      assertEquals(Generation.Reason.LENGTH, generation.reason());
      assertEquals(most, generation.generatedTokens());
      assertEquals(most, heard.tokens.size());
      assertEquals(PROMPT.length, generation.promptTokens());
      assertEquals(PROMPT.length + Math.max(0, most - 1), session.length());
    }
  }

  @Test
  void fullContext() {
    Generation generation = session.generate(PROMPT, greedy(GenerationOptions.UNLIMITED), NOBODY);
    assertEquals(Generation.Reason.LENGTH, generation.reason());
    assertEquals(CONTEXT - PROMPT.length, generation.generatedTokens());
    assertEquals(CONTEXT - 1, session.length()); // the last one is read when the text goes on
    EngineException e =
        assertThrows(EngineException.class, () -> session.generate(PROMPT, greedy(1), NOBODY));
    assertTrue(e.getMessage().contains("has room for 0 (96, 96 in use"), e.getMessage());
    session.reset();
    assertEquals(0, session.length());
    assertEquals(1, session.generate(PROMPT, greedy(1), NOBODY).generatedTokens());
  }

  @Test
  void promptAsLargeAsTheContext() {
    int[] prompt = IntStream.range(0, CONTEXT).map(i -> 260 + i % 40).toArray();
    assertThrows(EngineException.class, () -> session.generate(prompt, greedy(1), NOBODY));
    assertEquals(0, session.generate(prompt, greedy(0), NOBODY).generatedTokens());
    assertEquals(CONTEXT, session.length());
    session.reset();
    int[] shorter = Arrays.copyOf(prompt, CONTEXT - 1);
    Generation generation = session.generate(shorter, greedy(5), NOBODY);
    assertEquals(Generation.Reason.LENGTH, generation.reason());
    assertEquals(1, generation.generatedTokens());
  }

  @Test
  void promptTooLong() {
    int[] prompt = new int[CONTEXT + 1];
    EngineException e =
        assertThrows(EngineException.class, () -> session.generate(prompt, greedy(1), NOBODY));
    assertEquals(
        "the prompt has 97 tokens, and the context has room for 95 (96, 0 in use, 1 for what"
            + " follows); choose a larger context (-c) or a shorter prompt",
        e.getMessage());
    assertEquals(0, session.length());
  }

  @Test
  void emptyPrompt() {
    EngineException e =
        assertThrows(EngineException.class, () -> session.generate(new int[0], greedy(1), NOBODY));
    assertTrue(e.getMessage().contains("the prompt is empty"));
  }

  /** A model whose logits are all equal: greedy takes the lowest id, sampling any of the first. */
  @Test
  void endOfText() {
    Path even =
        new ModelCopy(file)
            .tensor("output_norm.weight", new float[SHAPE.width()])
            .write(folder.resolve("even.gguf"));
    SamplingOptions oneOfThree = new SamplingOptions(1, 3, 4);
    try (TandemModel evenModel = TandemModel.open(even, OPTIONS);
        Session even1 = evenModel.newSession()) {
      Heard heard = new Heard();
      Generation stopped = even1.generate(PROMPT, GenerationOptions.of(50, oneOfThree), heard);
      assertEquals(Generation.Reason.STOP, stopped.reason());
      assertEquals(stopped.generatedTokens(), heard.tokens.size());
      assertFalse(heard.tokens.contains(END), "the end is not announced");
      int atEnd = heard.tokens.size();
      heard.tokens.clear();
      even1.reset();
      Generation ignored =
          even1.generate(PROMPT, GenerationOptions.of(50, oneOfThree).ignoringEnd(), heard);
      assertEquals(Generation.Reason.LENGTH, ignored.reason());
      assertEquals(50, heard.tokens.size());
      assertEquals(atEnd, heard.tokens.indexOf(END), "the same seed, the same tokens, and on");
    }
    // The very first token may be the end.
    Path ends =
        new ModelCopy(even)
            .put("tokenizer.ggml.eos_token_id", GgufValue.uint32(0))
            .write(folder.resolve("ends.gguf"));
    try (TandemModel endsModel = TandemModel.open(ends, OPTIONS);
        Session ended = endsModel.newSession()) {
      GenerationOptions options = GenerationOptions.of(5, SamplingOptions.greedy());
      Generation generation = ended.generate(PROMPT, options, NOBODY);
      assertEquals(Generation.Reason.STOP, generation.reason());
      assertEquals(0, generation.generatedTokens());
    }
  }

  @Test
  void listenerHearsThePromptThenTheTokensWithTheirText() {
    int[] prompt = IntStream.range(0, 40).map(i -> 260 + i).toArray();
    List<String> heard = new ArrayList<>();
    Heard told =
        new Heard(count -> heard.add("token " + count)) {
          @Override
          public void prompt(int read, int total) {
            heard.add(read + "/" + total);
          }
        };
    session.generate(prompt, greedy(3), told);
    assertEquals(List.of("16/40", "32/40", "40/40", "token 1", "token 2", "token 3"), heard);
    Heard expected = new Heard();
    TextStream text = new TextStream(model.tokenizer(), false, expected::text);
    text.follow(prompt[prompt.length - 1]);
    told.tokens.forEach(text::print);
    text.finish();
    assertEquals(expected.text(), told.text());
  }

  @Test
  void sameSeedSameTokens() {
    GenerationOptions options = GenerationOptions.of(20, SamplingOptions.seeded(11)).ignoringEnd();
    List<Integer> first = tokensOf(session, PROMPT, options);
    session.reset();
    assertEquals(first, tokensOf(session, PROMPT, options));
    session.reset();
    GenerationOptions other = GenerationOptions.of(20, SamplingOptions.seeded(12)).ignoringEnd();
    assertFalse(first.equals(tokensOf(session, PROMPT, other)));
  }

  /** A text in two generations is the text in one, whatever was announced last included. */
  @Test
  void continuesTheContext() {
    int[] more = {275, 285, 295};
    List<Integer> first = tokensOf(session, PROMPT, greedy(6));
    Generation continued = session.generate(more, greedy(0), NOBODY);
    assertEquals(more.length + 1, continued.promptTokens());
    List<Integer> second = tokensOf(session, new int[] {299}, greedy(4));
    assertEquals(PROMPT.length + 6 + more.length + 1 + 4 - 1, session.length());

    session.reset();
    int[] text = joined(PROMPT, ids(first), more, new int[] {299});
    assertEquals(second, tokensOf(session, text, greedy(4)));
  }

  @Test
  void cancelledByTheListener() {
    Heard heard =
        new Heard(count -> {
          if (count == 3) {
            session.cancel();
          }
        });
    Generation generation = session.generate(PROMPT, greedy(50), heard);
    assertEquals(Generation.Reason.CANCELLED, generation.reason());
    assertEquals(3, generation.generatedTokens());
    assertEquals(3, heard.tokens.size());
    // Where it was cancelled it can go on; nothing is missing, nothing is there twice.
    List<Integer> rest = tokensOf(session, new int[] {299}, greedy(4));
    assertEquals(PROMPT.length + 3 + 1 + 4 - 1, session.length());
    session.reset();
    int[] text = joined(PROMPT, ids(heard.tokens), new int[] {299});
    assertEquals(rest, tokensOf(session, text, greedy(4)));
  }

  @Test
  void cancelledWhileReadingThePrompt() {
    int[] prompt = IntStream.range(0, 64).map(i -> 260 + i % 40).toArray();
    Generation generation =
        session.generate(
            prompt,
            greedy(5),
            new Heard() {
              @Override
              public void prompt(int read, int total) {
                session.cancel();
              }
            });
    assertEquals(Generation.Reason.CANCELLED, generation.reason());
    assertEquals(16, generation.promptTokens());
    assertEquals(16, session.length());
    assertEquals(0, generation.generatedTokens());
  }

  @Test
  void cancelledByAnotherThread() throws Exception {
    CountDownLatch begun = new CountDownLatch(1);
    Heard slow =
        new Heard(count -> {
          begun.countDown();
          pause();
        });
    CompletableFuture<Generation> running =
        CompletableFuture.supplyAsync(
            () -> session.generate(PROMPT, greedy(GenerationOptions.UNLIMITED), slow));
    assertTrue(begun.await(10, TimeUnit.SECONDS));
    session.cancel();
    assertEquals(Generation.Reason.CANCELLED, running.get(10, TimeUnit.SECONDS).reason());
    // An order to cancel that found nothing to end does not end what comes later.
    session.cancel();
    assertEquals(Generation.Reason.LENGTH, session.generate(PROMPT, greedy(2), NOBODY).reason());
  }

  @Test
  void closedByAnotherThreadWhileItGenerates() throws Exception {
    for (int round = 0; round < 20; round++) {
      Session other = model.newSession();
      CountDownLatch begun = new CountDownLatch(1);
      CompletableFuture<Generation> running =
          CompletableFuture.supplyAsync(() ->
              other.generate(
                  PROMPT,
                  greedy(GenerationOptions.UNLIMITED),
                  new Heard(count -> begun.countDown())));
      assertTrue(begun.await(10, TimeUnit.SECONDS));
      other.close();
      assertEquals(CONTEXT / 16, model.engine().cache().freeBlocks());
      Generation.Reason reason = running.get(10, TimeUnit.SECONDS).reason();
      assertTrue(
          reason == Generation.Reason.CANCELLED || reason == Generation.Reason.LENGTH,
          reason::toString);
    }
  }

  @Test
  void sessionsShareTheCacheAndDoNotDisturbEachOther() {
    List<Integer> alone = tokensOf(session, PROMPT, greedy(10));
    session.reset();
    int[] otherPrompt = {1, 299, 298, 297};
    try (Session other = model.newSession()) {
      Heard heard = new Heard(count -> other.generate(otherPrompt, greedy(1), NOBODY));
      session.generate(PROMPT, greedy(10), heard);
      assertEquals(alone, heard.tokens);
    }
  }

  /** A text that rests loses its cache to one that needs it, and goes on as if it had not. */
  @Test
  void cacheFullOfOthers() {
    int[] more = {275};
    List<Integer> undisturbed = new ArrayList<>(tokensOf(session, PROMPT, greedy(60)));
    undisturbed.addAll(tokensOf(session, more, greedy(5)));
    session.reset();
    try (Session other = model.newSession()) {
      List<Integer> disturbed = new ArrayList<>(tokensOf(other, PROMPT, greedy(60)));
      assertEquals(64, other.length());
      Generation needy = session.generate(new int[40], greedy(3), NOBODY);
      assertEquals(Generation.Reason.LENGTH, needy.reason());
      assertEquals(0, other.length());
      Heard heard = new Heard();
      Generation again = other.generate(more, greedy(5), heard);
      assertEquals(0, again.cachedTokens());
      assertEquals(PROMPT.length + 60 + 1, again.promptTokens());
      disturbed.addAll(heard.tokens);
      assertEquals(undisturbed, disturbed);
    }
  }

  @Test
  void usedAfterClosing() {
    session.close();
    assertThrows(IllegalStateException.class, () -> session.generate(PROMPT, greedy(1), NOBODY));
    session.cancel();
    session.reset();
    TandemModel other = TandemModel.open(file, OPTIONS);
    Session orphan = other.newSession();
    orphan.generate(PROMPT, greedy(1), NOBODY);
    other.close();
    assertThrows(IllegalStateException.class, () -> orphan.generate(PROMPT, greedy(1), NOBODY));
    orphan.close();
  }

  @Test
  void vocabularyLargerThanTheEmbedding() {
    GgufValue tokens = GgufValue.texts(IntStream.range(0, 301).mapToObj(i -> "t" + i).toList());
    Path broken =
        new ModelCopy(file)
            .put("tokenizer.ggml.tokens", tokens)
            .put("tokenizer.ggml.scores", GgufValue.float32s(new float[301]))
            .put("tokenizer.ggml.token_type", GgufValue.int32s(new int[301]))
            .write(folder.resolve("vocabulary.gguf"));
    ModelFormatException e =
        assertThrows(ModelFormatException.class, () -> TandemModel.open(broken, OPTIONS));
    assertEquals(broken, e.file());
  }

  private static List<Integer> tokensOf(Session session, int[] prompt, GenerationOptions options) {
    Heard heard = new Heard();
    session.generate(prompt, options, heard);
    return heard.tokens;
  }

  private static int[] ids(List<Integer> tokens) {
    return tokens.stream().mapToInt(Integer::intValue).toArray();
  }

  private static int[] joined(int[]... parts) {
    return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
  }

  private static GenerationOptions greedy(int most) {
    return GenerationOptions.of(most, SamplingOptions.greedy()).ignoringEnd();
  }

  private static void pause() {
    try {
      Thread.sleep(2);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
