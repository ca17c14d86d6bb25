package dev.tandem.server.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** A flood of connections. */
final class ConnectionLimitTest {

  @Test
  void refusedConnectionsAreCountedAndFewOfThemAreThereAtATime() {
    AtomicInteger refused = new AtomicInteger();
    ConnectionLimit limit = new ConnectionLimit(1, refused::incrementAndGet);
    EmbeddedChannel admitted = new EmbeddedChannel();
    assertTrue(limit.admit(admitted));
    List<EmbeddedChannel> told = new ArrayList<>();
    for (int i = 0; i < ConnectionLimit.MOST_TOLD; i++) {
      EmbeddedChannel channel = new EmbeddedChannel();
      assertFalse(limit.admit(channel));
      assertTrue(limit.mayTell(channel));
      told.add(channel);
    }
    EmbeddedChannel further = new EmbeddedChannel();
    assertFalse(limit.admit(further));
    assertFalse(limit.mayTell(further));
    told.getFirst().close();
    assertTrue(limit.mayTell(further));
    assertEquals(ConnectionLimit.MOST_TOLD + 1, refused.get());
    assertEquals(1, limit.open());
    admitted.close();
    assertTrue(limit.admit(new EmbeddedChannel()));
  }
}
