package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.server.Await;
import dev.tandem.server.config.LogFormat;
import dev.tandem.server.config.LogLevel;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.log.LogSetup;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.ScriptedBackend;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.PemTls;
import dev.tandem.server.security.TestCertificate;
import dev.tandem.server.transport.ConnectionLimit;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Optional;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The binary protocol through TLS: above all, that the last words arrive there too. */
@Timeout(60)
class RpcTlsTest {

  @TempDir private Path folder;

  private final Desk desk = new Desk(RpcTest.LIMITS, new DeskObserver() {});
  private SSLContext trusting;
  private RpcServer server;

  @BeforeEach
  void start() throws Exception {
    TestCertificate made = TestCertificate.make(folder, "localhost", "EC", 30);
    Path certificate = Files.writeString(folder.resolve("c.pem"), made.certificatePem());
    Path key = Files.writeString(folder.resolve("k.pem"), made.keyPem());
    KeyStore known = KeyStore.getInstance(KeyStore.getDefaultType());
    known.load(null, null);
    known.setCertificateEntry("server", made.certificate());
    TrustManagerFactory trust =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(known);
    trusting = SSLContext.getInstance("TLS");
    trusting.init(null, trust.getTrustManagers(), null);
    desk.open(ScriptedBackend.saying("through TLS"));
    Authenticator secret =
        new Authenticator() {
          @Override
          public boolean needsToken() {
            return true;
          }

          @Override
          public Optional<Caller> caller(String token) {
            return token.equals("secret") ? Optional.of(Caller.ANYBODY) : Optional.empty();
          }
        };
    server =
        new RpcServer(
            desk,
            RpcOptions.defaults(),
            secret,
            Optional.of(new PemTls(certificate, key, Duration.ofSeconds(1))),
            new ConnectionLimit(2));
  }

  @AfterEach
  void stop() {
    server.close();
  }

  private RawClient connect() throws IOException {
    return new RawClient(trusting.getSocketFactory().createSocket(), server.address(), 0);
  }

  private RawClient greeted() throws IOException {
    RawClient client = connect();
    client.hello(1, "secret");
    client.expectWelcome();
    return client;
  }

  @Test
  void generates() throws Exception {
    try (RawClient client = greeted()) {
      client.generate(1, GenerateRequest.newBuilder().setText("a"));
      StringBuilder text = new StringBuilder();
      assertEquals(Finished.Reason.STOP, client.finished(1, text).getReason());
      assertEquals("through TLS", text.toString().strip());
    }
  }

  @Test
  void errorsOfTheConnectionArrive() throws Exception {
    try (RawClient client = connect()) {
      client.hello(1, "wrong");
      client.generate(1, GenerateRequest.newBuilder().setText("a"));
      client.expectEnd(ErrorCode.UNAUTHENTICATED);
    }
    try (RawClient client = greeted()) {
      client.bytes((byte) 0x7f, (byte) 0, (byte) 0, (byte) 0);
      client.expectEnd(ErrorCode.MALFORMED);
    }
  }

  @Test
  void whatIsNoTlsIsClosed() throws Exception {
    try (RawClient client = server.connect()) {
      client.hello(1, "secret");
      assertEnds(client);
    }
    try (RawClient silent = server.connect()) {
      assertEnds(silent); // in the time that TLS has for its handshake
    }
    greeted().close();
  }

  /** A client that was to speak TLS sends its token in the clear: it need not stay in a log. */
  @Test
  void whatIsNoTlsIsLoggedWithoutItsBytes() {
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    LogSetup.configure(new ServerOptions.Log(LogFormat.TEXT, LogLevel.TRACE), log);
    try (RawClient client = server.connect()) {
      client.hello(1, "canary");
      assertEnds(client);
      Await.until(() -> log.toString(StandardCharsets.UTF_8).contains("connection"));
    } finally {
      LogSetup.configure(
          new ServerOptions.Log(LogFormat.TEXT, LogLevel.ERROR), OutputStream.nullOutputStream());
    }
    String told = log.toString(StandardCharsets.UTF_8);
    String bytes = HexFormat.of().formatHex("canary".getBytes(StandardCharsets.UTF_8));
    assertFalse(told.contains("canary") || told.contains(bytes), told);
    assertTrue(told.contains("no TLS"), told);
  }

  @Test
  void aboveTheLimitThereAreNoWords() throws Exception {
    try (RawClient one = greeted();
        RawClient two = greeted()) {
      try (RawClient three = connect()) {
        assertThrows(
            UncheckedIOException.class,
            () -> {
              three.hello(1, "secret");
              three.receive();
            });
      }
      one.expectPong();
      two.expectPong();
    }
  }

  /** By an end or by a reset, after what may be an alert of TLS. */
  private static void assertEnds(RawClient client) {
    long began = System.nanoTime();
    try {
      while (client.read() >= 0) {
        // an alert
      }
    } catch (UncheckedIOException e) {
      // a reset
    }
    assertTrue(System.nanoTime() - began < Duration.ofSeconds(15).toNanos(), "a timeout");
  }
}
