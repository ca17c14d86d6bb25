package dev.tandem.engine.schedule;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.engine.kv.KvCache;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The scheduler alone: steps are simulated, and time is a number. */
class SchedulerTest {

  private static final long MILLI = 1_000_000;

  /** A request that generates so many tokens. */
  private static final class Text extends Request {
    private final String name;
    private final int tokens;
    private int generated;
    private boolean ready = true;

    Text(String name, Context context, int prompt, int tokens, int priority) {
      super(context, tokens, priority);
      this.name = name;
      this.tokens = tokens;
      for (int i = 0; i < prompt; i++) {
        context.ids().add(i);
      }
    }

    @Override
    protected boolean isReady() {
      return ready;
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /** A cache, a scheduler, and steps that take no time. */
  private static final class Simulation {
    KvCache cache;
    final int most;
    final Scheduler<Text> scheduler;
    final List<Text> open = new ArrayList<>();
    final List<String> ended = new ArrayList<>();

    Simulation(int blocks, int stepTokens, int running) {
      cache = new KvCache(blocks);
      most = 16 * blocks;
      scheduler =
          new Scheduler<>(cache, new Scheduler.Limits(stepTokens, running, most, 200 * MILLI));
    }

    Text submit(String name, Context context, int prompt, int tokens) {
      return submit(name, context, prompt, tokens, 0);
    }

    Text submit(String name, Context context, int prompt, int tokens, int priority) {
      Text text = new Text(name, context, prompt, tokens, priority);
      open.add(text);
      scheduler.submit(text);
      return text;
    }

    Text submit(String name, int prompt, int tokens) {
      return submit(name, new Context(), prompt, tokens);
    }

    void end(Text text) {
      scheduler.end(text);
      open.remove(text);
      ended.add(text.name);
    }

    /** Runs a step that is said to have taken so long; returns who read how much. */
    String step(long nanos) {
      if (!scheduler.plan()) {
        return "";
      }
      String names = names();
      for (int i = 0; i < scheduler.members(); i++) {
        read(scheduler.member(i), scheduler.count(i));
      }
      scheduler.ran(nanos);
      return names;
    }

    String names() {
      List<String> names = new ArrayList<>();
      for (int i = 0; i < scheduler.members(); i++) {
        names.add(scheduler.member(i).name + ":" + scheduler.count(i));
      }
      return String.join(" ", names);
    }

    private void read(Text text, int count) {
      Context context = text.context();
      assertTrue(count > 0 && count <= context.pending());
      assertTrue(
          cache.reserve(context.sequence(), context.sequence().length() + count),
          "the room that it waited for is there");
      context.sequence().advance(count);
      context.publish();
      if (context.pending() == 0) {
        if (text.generated == text.tokens) {
          end(text);
          return;
        }
        text.generated++;
        context.ids().add(7);
        if (text.generated == text.tokens || context.sequence().length() == most) {
          end(text);
        }
      }
    }

    /** What was in the cache is lost. */
    void move() {
      KvCache before = cache;
      cache = new KvCache(before.blocks());
      scheduler.moveTo(cache);
      assertEquals(before.blocks(), before.freeBlocks(), "all is given back");
    }

    void finish() {
      for (int step = 0; !open.isEmpty(); step++) {
        assertTrue(step < 100_000, "no end");
        assertFalse(step(MILLI).isEmpty(), "stuck");
      }
    }
  }

  private final Simulation simulation = new Simulation(16, 32, 3);
  private final Scheduler<Text> scheduler = simulation.scheduler;
  private final KvCache cache = simulation.cache;
  private final List<String> ended = simulation.ended;

  @Test
  void promptsInPiecesThenTokensOneByOne() {
    submit("a", 70, 3);
    assertEquals("a:32", step(MILLI));
    assertEquals("a:32", step(MILLI));
    assertEquals("a:6", step(MILLI));
    assertEquals("a:1", step(MILLI));
    assertEquals("a:1", step(MILLI));
    assertEquals(List.of("a"), ended); // nobody reads the last token
    assertEquals("", step(MILLI));
  }

  @Test
  void decodingComesFirstAndPromptsFillTheStep() {
    submit("a", 10, 50);
    assertEquals("a:10", step(MILLI));
    submit("b", 20, 50);
    submit("c", 60, 50);
    assertEquals("a:1 b:20 c:11", step(MILLI));
    assertEquals("a:1 b:1 c:30", step(MILLI));
    assertEquals("a:1 b:1 c:19", step(MILLI));
    submit("d", 5, 1); // three run
    assertEquals("a:1 b:1 c:1", step(MILLI));
  }

  @Test
  void promptsAreCutShortForThoseWhoDecode() {
    Simulation wide = new Simulation(200, 512, 4);
    Text a = wide.submit("a", 512, 1000);
    assertEquals("a:512", wide.step(512 * 5 * MILLI)); // 5 ms for a token
    assertEquals("a:1", wide.step(20 * MILLI));
    wide.submit("b", 1000, 10);
    assertEquals("a:1 b:36", wide.step(200 * MILLI)); // (200 - 20) / 5
    // A prompt alone may take as long as it likes.
    wide.end(a);
    assertEquals("b:512", wide.step(MILLI));
  }

  @Test
  void whoNeedsMoreRoomThanIsFreeWaitsAndNobodyOvertakes() {
    submit("a", 100, 50); // 10 blocks
    submit("b", 100, 20); // 8 blocks: not now
    submit("c", 10, 1); // 1 block: would fit
    assertEquals("a:32", step(MILLI));
    while (ended.isEmpty()) {
      assertTrue(step(MILLI).matches("a:\\d+"));
    }
    assertEquals("b:32", step(MILLI));
    finish();
    assertEquals(List.of("a", "c", "b"), ended);
  }

  @Test
  void ofThoseWhoWaitTheHighestPriorityGoesFirstAndAmongEqualsWhoCameFirst() {
    submit("running", 200, 50); // 16 blocks
    step(MILLI);
    submit("low", 200, 50, -1);
    submit("usual 1", 200, 50, 0);
    submit("high 1", 200, 50, 5);
    submit("usual 2", 200, 50, 0);
    submit("high 2", 200, 50, 5);
    submit("highest", 200, 50, Integer.MAX_VALUE);
    submit("lowest", 200, 50, Integer.MIN_VALUE);
    assertEquals(7, scheduler.waiting());
    assertEquals(1, scheduler.running());
    finish();
    assertEquals(
        List.of("running", "highest", "high 1", "high 2", "usual 1", "usual 2", "low", "lowest"),
        ended);
  }

  /** A high priority waits for room as others do, and those below it do not slip through. */
  @Test
  void nobodyOvertakesAHigherPriority() {
    submit("a", 100, 50, 0); // 10 blocks
    step(MILLI);
    submit("small", 10, 1, 0); // 1 block: would fit
    submit("large", 100, 20, 1); // 8 blocks: not now
    while (ended.isEmpty()) {
      assertTrue(step(MILLI).matches("a:\\d+"));
    }
    assertEquals("large:32", step(MILLI));
    finish();
    assertEquals(List.of("a", "small", "large"), ended);
  }

  /** Who is set aside comes again before its equals, after those above it. */
  @Test
  void setAsideKeepsItsPlaceAmongItsEquals() {
    Text a = submit("a", 100, 100, 0); // 13 blocks
    step(MILLI);
    a.ready = false;
    submit("high", 200, 20, 1);
    assertEquals("high:32", step(MILLI));
    submit("b", 100, 100, 0);
    submit("higher", 200, 20, 2);
    a.ready = true;
    finish();
    assertEquals(List.of("high", "higher", "a", "b"), ended);
  }

  @Test
  void restingTextsLoseTheirCacheToThoseWhoNeedItTheOldestFirst() {
    Text a = submit("a", 48, 1);
    finish();
    Text b = submit("b", 48, 1);
    finish();
    Text c = submit("c", 48, 1);
    finish();
    assertEquals(16 - 9, cache.freeBlocks());
    Text d = submit("d", 150, 10); // 10 blocks: those of a suffice
    finish();
    assertEquals(0, a.context().cached());
    assertEquals(48, b.context().cached());
    // Goes on with what it has, at the cost of those that rest: not of itself.
    simulation.submit("b again", b.context(), 100, 1);
    finish();
    assertEquals(0, c.context().cached());
    assertEquals(48 + 1 + 100, b.context().cached());
    scheduler.forget(b.context());
    scheduler.forget(d.context());
    assertEquals(16, cache.freeBlocks());
  }

  @Test
  void notReadyIsLeftOutAndHoldsUpNobody() {
    Text a = submit("a", 10, 50);
    submit("b", 10, 50);
    assertEquals("a:10 b:10", step(MILLI));
    a.ready = false;
    assertEquals("b:1", step(MILLI));
    a.ready = true;
    assertEquals("a:1 b:1", step(MILLI));
  }

  @Test
  void whoCannotRunIsSetAsideForThoseWhoNeedItsRoom() {
    Text a = submit("a", 100, 100); // 13 blocks
    assertEquals("a:32", step(MILLI));
    a.ready = false;
    submit("b", 20, 60); // 5 blocks
    assertEquals("b:20", step(MILLI));
    a.ready = true;
    assertEquals("b:1", step(MILLI));
    simulation.end(simulation.open.getLast());
    assertEquals("a:32", step(MILLI));
    finish();
    assertEquals(List.of("b", "a"), ended);
  }

  /** What was generated already is not promised once more. */
  @Test
  void promisesDoNotGrowWhileTokensAreGenerated() {
    submit("a", 10, 118); // 8 blocks
    for (int i = 0; i < 100; i++) {
      step(MILLI);
    }
    submit("b", 10, 118); // the other 8
    assertEquals("a:1 b:10", step(MILLI));
  }

  @Test
  void afterAFailureEachRunsAloneSoThatTheGuiltyOneIsKnown() {
    Text a = submit("a", 10, 50);
    Text b = submit("b", 10, 50);
    submit("c", 40, 50);
    assertEquals("a:10 b:10 c:12", step(MILLI));
    assertTrue(scheduler.plan());
    assertFalse(scheduler.failed());
    b.ready = false; // a suspect that cannot run holds up nobody, and is not run with others
    assertEquals("a:1", step(MILLI));
    assertTrue(scheduler.plan());
    assertEquals("c:28", simulation.names());
    assertTrue(scheduler.failed(), "alone, so it is its own");
    simulation.end(scheduler.member(0));
    assertEquals("a:1", step(MILLI));
    b.ready = true;
    assertEquals("b:1", step(MILLI));
    assertEquals("a:1 b:1", step(MILLI));
    simulation.end(a);
    assertEquals("b:1", step(MILLI));
  }

  /** Whatever comes: every text ends, and nothing of the cache is lost. */
  @Test
  void randomLoad() {
    for (long seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      int running = 1 + random.nextInt(8);
      Simulation all =
          new Simulation(4 + random.nextInt(20), running + random.nextInt(40), running);
      List<Context> contexts = new ArrayList<>();
      for (int step = 0; step < 300; step++) {
        if (random.nextInt(4) == 0) {
          Context context = resting(contexts, all.open, random);
          int room = all.most - context.ids().size();
          if (room > 0) {
            int priority = random.nextInt(3) - 1;
            all.submit("t", context, 1 + random.nextInt(room), random.nextInt(50), priority);
          }
        }
        for (Text text : all.open) {
          text.ready = random.nextInt(5) > 0;
        }
        if (random.nextInt(10) == 0 && all.scheduler.plan()) {
          if (all.scheduler.failed()) {
            all.end(all.scheduler.member(0));
          }
        } else {
          all.step(random.nextInt(1000) * MILLI);
        }
        if (!all.open.isEmpty() && random.nextInt(30) == 0) {
          all.end(all.open.get(random.nextInt(all.open.size())));
        }
      }
      all.open.forEach(text -> text.ready = true);
      all.finish();
      contexts.forEach(all.scheduler::forget);
      assertEquals(all.cache.blocks(), all.cache.freeBlocks(), "seed " + seed);
    }
  }

  private static Context resting(List<Context> contexts, List<Text> open, Random random) {
    if (!contexts.isEmpty() && random.nextBoolean()) {
      Context context = contexts.get(random.nextInt(contexts.size()));
      if (open.stream().noneMatch(text -> text.context() == context)) {
        return context;
      }
    }
    Context context = new Context();
    contexts.add(context);
    return context;
  }

  private Text submit(String name, int prompt, int tokens) {
    return simulation.submit(name, prompt, tokens);
  }

  private Text submit(String name, int prompt, int tokens, int priority) {
    return simulation.submit(name, new Context(), prompt, tokens, priority);
  }

  private void finish() {
    simulation.finish();
  }

  private String step(long nanos) {
    return simulation.step(nanos);
  }

  /** Those who run, who wait and who rest: all are read again, and none loses its place. */
  @Test
  void whatIsLostIsReadAgain() {
    Simulation simulation = new Simulation(8, 24, 2);
    Context resting = new Context();
    simulation.submit("rests", resting, 20, 2);
    simulation.finish();
    simulation.submit("a", 30, 5);
    simulation.submit("b", 10, 5);
    simulation.submit("c", 10, 5);
    simulation.step(MILLI);
    simulation.step(MILLI);
    simulation.step(MILLI);
    assertEquals(2, simulation.scheduler.running());
    assertTrue(resting.cached() > 0);
    simulation.move();
    assertEquals(0, resting.cached());
    assertEquals(2, simulation.scheduler.running());
    assertEquals(1, simulation.scheduler.waiting());
    assertEquals("a:24", simulation.step(MILLI));
    simulation.finish();
    assertEquals(List.of("rests", "a", "b", "c"), simulation.ended);
    simulation.submit("again", resting, 1, 2);
    simulation.finish();
    simulation.scheduler.forget(resting);
  }

  /** Whatever is lost at whatever time: everybody ends, and the cache is whole again. */
  @Test
  void lossesAtRandomTimes() {
    for (int seed = 0; seed < 200; seed++) {
      Random random = new Random(seed);
      Simulation simulation = new Simulation(6 + random.nextInt(10), 24, 1 + random.nextInt(4));
      List<Context> contexts = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        contexts.add(new Context());
        simulation.submit("t" + i, contexts.get(i), 1 + random.nextInt(40), random.nextInt(30));
        for (int step = random.nextInt(6); step > 0; step--) {
          simulation.step(MILLI);
        }
        if (random.nextInt(3) == 0) {
          simulation.move();
        }
      }
      simulation.finish();
      assertEquals(12, simulation.ended.size(), "seed " + seed);
      contexts.forEach(simulation.scheduler::forget);
      assertEquals(simulation.cache.blocks(), simulation.cache.freeBlocks(), "seed " + seed);
    }
  }
}
