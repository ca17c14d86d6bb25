package dev.tandem.protocol;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetectorFactory;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Fails a test class in which Netty found a buffer that nobody gave back. It looks for each one
 * (surefire sets {@code io.netty.leakDetection.level} to paranoid), and finds it when the collector
 * does; so this asks for that first. JUnit finds this class by itself: META-INF/services.
 */
public final class LeakCheck implements BeforeAllCallback, AfterAllCallback {

  private static final List<String> LEAKS = new CopyOnWriteArrayList<>();

  static {
    ResourceLeakDetectorFactory.setResourceLeakDetectorFactory(new Factory());
  }

  @Override
  public void beforeAll(ExtensionContext context) {
    if (!ResourceLeakDetector.getLevel().equals(ResourceLeakDetector.Level.PARANOID)) {
      throw new AssertionError("no leak is looked for: io.netty.leakDetection.level is not set");
    }
    LEAKS.clear();
  }

  @Override
  public void afterAll(ExtensionContext context) {
    for (int i = 0; i < 3; i++) { // what the collector finds is handed on a little later
      System.gc();
      // A detector reports what was lost when the next buffer is made.
      for (int j = 0; j < 100; j++) {
        ByteBufAllocator.DEFAULT.buffer(16).release();
        UnpooledByteBufAllocator.DEFAULT.buffer(16).release();
      }
    }
    if (!LEAKS.isEmpty()) {
      throw new AssertionError(LEAKS.size() + " buffers are lost; the first: " + LEAKS.getFirst());
    }
  }

  private static final class Factory extends ResourceLeakDetectorFactory {
    @Override
    @Deprecated
    @SuppressWarnings("deprecation")
    public <T> ResourceLeakDetector<T> newResourceLeakDetector(
        Class<T> type, int interval, long maxActive) {
      return newResourceLeakDetector(type, interval);
    }

    @Override
    public <T> ResourceLeakDetector<T> newResourceLeakDetector(Class<T> type, int interval) {
      return new ResourceLeakDetector<>(type, interval) {
        @Override
        protected boolean needReport() {
          return true;
        }

        @Override
        protected void reportTracedLeak(String resource, String records) {
          LEAKS.add(resource + records);
        }

        @Override
        protected void reportUntracedLeak(String resource) {
          LEAKS.add(resource);
        }
      };
    }
  }
}
