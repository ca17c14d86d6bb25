package dev.tandem.cli.load;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * What is sent, and when.
 *
 * @param arrivals in the order of their times
 * @param closed whether times do not count: each is sent as soon as another one has ended
 */
public record Workload(List<Arrival> arrivals, boolean closed) {

  public Workload {
    arrivals = List.copyOf(arrivals);
  }

  /** So many requests, each sent when there is room for it. */
  public static Workload closed(int requests, Lengths prompts, Lengths outputs, long seed) {
    return new Workload(draw(requests, 0, prompts, outputs, seed), true);
  }

  /**
   * So many requests at random times: a Poisson process, as of many people who do not know of each
   * other.
   *
   * @param rate requests per second
   */
  public static Workload poisson(
      int requests, double rate, Lengths prompts, Lengths outputs, long seed) {
    return new Workload(draw(requests, rate, prompts, outputs, seed), false);
  }

  private static List<Arrival> draw(
      int requests, double rate, Lengths prompts, Lengths outputs, long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Arrival> arrivals = new ArrayList<>();
    double seconds = 0;
    for (int i = 0; i < requests; i++) {
      arrivals.add(new Arrival(seconds, prompts.draw(random), outputs.draw(random)));
      seconds += rate == 0 ? 0 : -Math.log(1 - random.nextDouble()) / rate;
    }
    return arrivals;
  }

  /** The same with no request longer than a context: what is too much is taken off the prompt. */
  public Workload within(int contextTokens) {
    List<Arrival> cut = new ArrayList<>();
    for (Arrival arrival : arrivals) {
      int output = Math.min(arrival.outputTokens(), contextTokens - 1);
      int prompt = Math.min(arrival.promptTokens(), contextTokens - output);
      cut.add(new Arrival(arrival.seconds(), prompt, output));
    }
    return new Workload(cut, closed);
  }
}
