package dev.tandem.server.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import ch.qos.logback.core.encoder.EncoderBase;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.tandem.server.request.Desk;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.temporal.ChronoUnit;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.slf4j.event.KeyValuePair;

/**
 * One JSON object per line: time, level, logger, request, message, what the message is about under
 * names of its own, and the trace of an error.
 */
final class JsonLines extends EncoderBase<ILoggingEvent> {

  private static final List<String> WHOM = List.of(Desk.LOG_REQUEST, Desk.LOG_TENANT);
  private static final Set<String> OWN =
      Set.of("time", "level", "logger", "message", "error", Desk.LOG_REQUEST, Desk.LOG_TENANT);

  private final JsonFactory json = new JsonFactory();

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
    ByteArrayOutputStream line = new ByteArrayOutputStream(256);
    try (JsonGenerator to = json.createGenerator(line)) {
      to.writeStartObject();
      to.writeStringField("time", event.getInstant().truncatedTo(ChronoUnit.MILLIS).toString());
      to.writeStringField("level", event.getLevel().toString().toLowerCase(Locale.ROOT));
      to.writeStringField("logger", event.getLoggerName());
      for (String name : WHOM) {
        String value = event.getMDCPropertyMap().getOrDefault(name, "");
        if (!value.isEmpty()) {
          to.writeStringField(name, value);
        }
      }
      to.writeStringField("message", event.getFormattedMessage());
      write(to, event.getKeyValuePairs());
      IThrowableProxy failure = event.getThrowableProxy();
      if (failure != null) {
        to.writeStringField("error", ThrowableProxyUtil.asString(failure));
      }
      to.writeEndObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
    line.write('\n');
    return line.toByteArray();
  }

  private static void write(JsonGenerator to, List<KeyValuePair> pairs) throws IOException {
    if (pairs == null) {
      return;
    }
    Set<String> names = new HashSet<>(OWN);
    for (KeyValuePair pair : pairs) {
      if (!names.add(pair.key)) {
        continue; // an object has each name once
      }
      switch (pair.value) {
        case Integer number -> to.writeNumberField(pair.key, number);
        case Long number -> to.writeNumberField(pair.key, number);
        case Double number -> to.writeNumberField(pair.key, number);
        case Boolean flag -> to.writeBooleanField(pair.key, flag);
        case null -> to.writeNullField(pair.key);
        default -> to.writeStringField(pair.key, pair.value.toString());
      }
    }
  }
}
