package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.transport.WriteGate;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpVersion;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What is left of a stream of events when it has come to its end. */
final class EventStreamTest {

  private static final long NOTHING_PLANNED = -1;

  private final EmbeddedChannel channel = new EmbeddedChannel(new WriteGate(Duration.ofSeconds(1)));
  private final Exchange exchange =
      new Exchange(
          channel.pipeline().firstContext(),
          new Exchange.Progress() {
            @Override
            public void sending() {}

            @Override
            public void answered(boolean close) {}
          },
          new BodyBudget(0),
          new DefaultHttpRequest(HttpVersion.HTTP_1_1, HttpMethod.POST, "/v1/chat/completions"),
          Optional.empty());
  private final EventStream events = new EventStream(exchange, Duration.ofSeconds(10));

  private void letsGoAfter(Consumer<EventStream> end) {
    events.open();
    assertTrue(channel.runScheduledPendingTasks() > 0, "a beat is planned");
    end.accept(events);
    channel.runPendingTasks();
    assertEquals(NOTHING_PLANNED, channel.runScheduledPendingTasks());
    ByteBuf late = Unpooled.buffer(1).writeByte(1);
    events.send(late);
    assertEquals(0, late.refCnt());
    channel.finishAndReleaseAll();
  }

  @Test
  void theEndLeavesNoBeatBehind() {
    letsGoAfter(stream -> stream.end(Unpooled.EMPTY_BUFFER));
  }

  @Test
  void norDoesAClientThatHasGone() {
    letsGoAfter(stream -> exchange.over());
  }

  @Test
  void aStreamWhoseClientHasGoneAlreadyPlansNone() {
    exchange.over();
    events.open();
    assertEquals(NOTHING_PLANNED, channel.runScheduledPendingTasks());
    channel.finishAndReleaseAll();
  }
}
