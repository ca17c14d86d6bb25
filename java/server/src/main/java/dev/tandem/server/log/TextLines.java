package dev.tandem.server.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.encoder.EncoderBase;
import dev.tandem.server.request.Desk;
import java.nio.charset.StandardCharsets;
import java.time.temporal.ChronoUnit;
import java.util.List;
import org.slf4j.event.KeyValuePair;

/**
 * Lines for people: {@code 2026-01-31T12:00:00.123Z INFO [7f3a] finished tokens=12}. A message
 * stays in its line whatever is in it, so that nobody forges others.
 */
final class TextLines extends EncoderBase<ILoggingEvent> {

  @Override
  public byte[] headerBytes() {
    return new byte[0];
  }

  @Override
  public byte[] footerBytes() {
    return new byte[0];
  }

  @Override
  public byte[] encode(ILoggingEvent event) {
    StringBuilder line = new StringBuilder(160);
    line.append(event.getInstant().truncatedTo(ChronoUnit.MILLIS)).append(' ');
    line.append(event.getLevel()).append(' ');
    String request = event.getMDCPropertyMap().get(Desk.LOG_REQUEST);
    if (request != null) {
      line.append('[');
      escape(line, request);
      line.append("] ");
    }
    escape(line, event.getFormattedMessage());
    String tenant = event.getMDCPropertyMap().getOrDefault(Desk.LOG_TENANT, "");
    if (!tenant.isEmpty()) {
      escape(line.append(" tenant="), tenant);
    }
    List<KeyValuePair> pairs = event.getKeyValuePairs();
    if (pairs != null) {
      for (KeyValuePair pair : pairs) {
        line.append(' ');
        escape(line, pair.key);
        line.append('=');
        escape(line, String.valueOf(pair.value));
      }
    }
    line.append('\n');
    IThrowableProxy failure = event.getThrowableProxy();
    if (failure != null) {
      ThrowableProxyUtil.asString(failure)
          .lines()
          .forEach(frame -> {
            escape(line.append("  "), frame);
            line.append('\n');
          });
    }
    return line.toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void escape(StringBuilder line, String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      switch (c) {
        case '\n' -> line.append("\\n");
        case '\r' -> line.append("\\r");
        case '\t' -> line.append(' ');
        default -> {
          if (Character.isISOControl(c)) {
            line.append("\\u%04x".formatted((int) c));
          } else {
            line.append(c);
          }
        }
      }
    }
  }
}
