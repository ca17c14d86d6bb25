package dev.tandem.server.security;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Date;
import java.util.List;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** TLS of the JDK with a key and certificates in PEM files. */
public final class PemTls implements Tls {

  private static final Logger log = LoggerFactory.getLogger(PemTls.class);
  private static final Duration SOON = Duration.ofDays(14);

  private final Path certificateFile;
  private final Path keyFile;
  private final Duration handshakeTimeout;
  private volatile SslContext context;

  /**
   * @throws SecurityFileException if the files cannot be read, or do not belong together
   */
  public PemTls(Path certificateFile, Path keyFile, Duration handshakeTimeout) {
    this.certificateFile = certificateFile;
    this.keyFile = keyFile;
    this.handshakeTimeout = handshakeTimeout;
    this.context = read();
  }

  @Override
  public SslHandler newHandler(ByteBufAllocator allocator) {
    SslHandler handler = context.newHandler(allocator);
    handler.setHandshakeTimeoutMillis(handshakeTimeout.toMillis());
    return handler;
  }

  /**
   * Reads the files again, for connections from now on; if they are wrong, all stays as it is, and
   * the log is told.
   */
  public void reload() {
    try {
      context = read();
    } catch (SecurityFileException e) {
      log.error("TLS keeps the certificate that it has: {}", e.getMessage());
    }
  }

  private SslContext read() {
    PemFiles pair = PemFiles.read(certificateFile, keyFile);
    List<X509Certificate> chain = pair.chain();
    try {
      SslContext read =
          SslContextBuilder.forServer(pair.key(), chain.toArray(X509Certificate[]::new))
              .sslProvider(SslProvider.JDK)
              .protocols("TLSv1.3", "TLSv1.2")
              .build();
      told(chain.getFirst());
      return read;
    } catch (SSLException e) {
      throw new SecurityFileException(
          "%s and %s cannot be used for TLS: %s"
              .formatted(certificateFile, keyFile, e.getMessage()));
    }
  }

  private void told(X509Certificate own) {
    Date end = own.getNotAfter();
    log.atInfo()
        .addKeyValue("subject", own.getSubjectX500Principal().getName())
        .addKeyValue("until", end.toInstant())
        .log("TLS certificate read from {}", certificateFile);
    if (end.toInstant().isBefore(new Date().toInstant().plus(SOON))) {
      log.warn("{}: the certificate is good until {} only", certificateFile, end.toInstant());
    }
  }
}
