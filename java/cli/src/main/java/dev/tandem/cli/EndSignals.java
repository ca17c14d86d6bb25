package dev.tandem.cli;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import org.jline.utils.Signals;

/** SIGTERM and Ctrl-C of a server: the first one asks it to end, a later one ends the process. */
final class EndSignals implements AutoCloseable {

  private static final Map<String, Integer> NUMBERS = Map.of("INT", 2, "TERM", 15);
  private static final int EXIT_CODE_OF_SIGNAL = 128;

  /** One may come twice: timeout(1) sends it to its child, and then to the group it is in. */
  private static final long SAME_NANOS = 500_000_000;

  private final Streams streams;
  private final Map<String, Object> before = new LinkedHashMap<>();
  private final CountDownLatch asked = new CountDownLatch(1);
  private int firstNumber; // guarded by asked, as is the next
  private long firstNanos;

  /** From now on until it is closed. */
  EndSignals(Streams streams) {
    this.streams = streams;
    NUMBERS.forEach((name, number) -> {
      Object handler = Signals.register(name, () -> signalled(number));
      if (handler != null) {
        before.put(name, handler);
      }
    });
  }

  /** Waits until the server is to end. */
  void await() throws InterruptedException {
    asked.await();
  }

  /** It is to end, without a signal. */
  void end() {
    asked.countDown();
  }

  @Override
  public void close() {
    before.forEach(Signals::unregister);
  }

  private void signalled(int number) {
    synchronized (asked) {
      if (asked.getCount() > 0) {
        firstNumber = number;
        firstNanos = System.nanoTime();
        asked.countDown();
        return;
      }
      if (number == firstNumber && System.nanoTime() - firstNanos < SAME_NANOS) {
        return;
      }
    }
    streams.note("tandem: ended at once");
    Runtime.getRuntime().halt(EXIT_CODE_OF_SIGNAL + number);
  }
}
