package dev.tandem.server.log;

import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.Order;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import java.time.Duration;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;
import org.slf4j.spi.LoggingEventBuilder;

/**
 * A line for each request: how much, how long, and how it ended. Neither what was asked nor what
 * was answered. Whom a line is about is in its {@link org.slf4j.MDC}, which the desk sets.
 */
public final class RequestLog implements DeskObserver {

  private static final Logger log = LoggerFactory.getLogger(RequestLog.class);
  private static final double NANOS = 1e9;

  @Override
  public void accepted(Order order) {
    about(order, Level.DEBUG).log("accepted");
  }

  @Override
  public void refused(Order order, Refusal refusal) {
    about(order, refusal, Level.INFO).log("refused");
  }

  @Override
  public void finished(Order order, Outcome outcome) {
    about(order, Level.INFO)
        .addKeyValue("reason", outcome.generation().reason().name().toLowerCase(Locale.ROOT))
        .addKeyValue("answer_tokens", outcome.generation().generatedTokens())
        .addKeyValue("queued_s", seconds(outcome.queued()))
        .addKeyValue("first_token_s", seconds(outcome.firstToken()))
        .addKeyValue("total_s", seconds(outcome.total()))
        .log("finished");
  }

  @Override
  public void failed(Order order, Refusal refusal) {
    Level level = refusal.problem() == Problem.INTERNAL ? Level.ERROR : Level.WARN;
    about(order, refusal, level).log("given up");
  }

  private static LoggingEventBuilder about(Order order, Level level) {
    return log.atLevel(level)
        .addKeyValue("protocol", order.protocol())
        .addKeyValue("prompt_tokens", order.prompt().length);
  }

  // Not its message: that may name what the peer wrote.
  private static LoggingEventBuilder about(Order order, Refusal refusal, Level level) {
    LoggingEventBuilder line =
        about(order, level)
            .addKeyValue("problem", refusal.problem().name().toLowerCase(Locale.ROOT));
    return refusal.parameter().map(name -> line.addKeyValue("parameter", name)).orElse(line);
  }

  private static double seconds(Duration time) {
    return Math.round(time.toNanos() / NANOS * 1000) / 1000.0;
  }
}
