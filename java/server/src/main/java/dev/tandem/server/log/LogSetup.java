package dev.tandem.server.log;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.OutputStreamAppender;
import ch.qos.logback.core.encoder.Encoder;
import dev.tandem.server.config.LogFormat;
import dev.tandem.server.config.ServerOptions;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import org.slf4j.LoggerFactory;

/** Sends the log of this process to a stream. */
public final class LogSetup {

  private static final String OWN = "dev.tandem";

  private LogSetup() {}

  /**
   * Replaces whatever was set up before. The level is that of our own lines; libraries, which may
   * tell what passes through them, are heard from warnings on.
   *
   * @param out stays open
   */
  public static void configure(ServerOptions.Log options, OutputStream out) {
    if (!(LoggerFactory.getILoggerFactory() instanceof LoggerContext context)) {
      throw new IllegalStateException(
          "the log goes to "
              + LoggerFactory.getILoggerFactory().getClass().getName()
              + " and not to Logback: another SLF4J provider is on the class path");
    }
    context.reset();
    Encoder<ILoggingEvent> encoder =
        options.format() == LogFormat.JSON ? new JsonLines() : new TextLines();
    encoder.setContext(context);
    encoder.start();
    OutputStreamAppender<ILoggingEvent> appender = new OutputStreamAppender<>();
    appender.setContext(context);
    appender.setName(OWN);
    appender.setEncoder(encoder);
    appender.setOutputStream(new Uncloseable(out));
    appender.start();
    Logger root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    root.setLevel(Level.WARN);
    root.addAppender(appender);
    context.getLogger(OWN).setLevel(Level.valueOf(options.level().name()));
  }

  /** The process's own stream, which the log leaves open. */
  private static final class Uncloseable extends FilterOutputStream {
    Uncloseable(OutputStream out) {
      super(out);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
      out.write(bytes, offset, length);
    }

    @Override
    public void close() throws IOException {
      flush();
    }
  }
}
