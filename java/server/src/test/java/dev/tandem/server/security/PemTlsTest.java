package dev.tandem.server.security;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.Loops;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TLS with files, which change while connections are open. */
class PemTlsTest {

  private static final Duration HANDSHAKE = Duration.ofSeconds(20);

  @TempDir private static Path shared;
  private static TestCertificate first;
  private static TestCertificate second;
  @TempDir private Path folder;

  @BeforeAll
  static void makeCertificates() throws Exception {
    first = TestCertificate.make(shared, "first", "EC", 365);
    second = TestCertificate.make(shared, "second", "RSA", 365);
  }

  private Path certificate() {
    return folder.resolve("cert.pem");
  }

  private Path key() {
    return folder.resolve("key.pem");
  }

  private void write(String certificate, String key) throws IOException {
    Files.writeString(certificate(), certificate);
    Files.writeString(key(), key);
  }

  private PemTls tls() {
    return new PemTls(certificate(), key(), HANDSHAKE);
  }

  private String refused() {
    String message = assertThrows(SecurityFileException.class, this::tls).getMessage();
    assertFalse(message.contains("-----BEGIN PRIVATE KEY-----\n"), message);
    return message;
  }

  /** Sends back what it hears. */
  private static final class Echo implements AutoCloseable {
    private final Loops loops = new Loops(1, new DefaultThreadFactory("echo"));
    private final Channel channel;

    Echo(Tls tls) {
      ChannelInitializer<Channel> initializer =
          new ChannelInitializer<>() {
            @Override
            protected void initChannel(Channel made) {
              made.pipeline()
                  .addLast(tls.newHandler(made.alloc()))
                  .addLast(
                      new ChannelInboundHandlerAdapter() {
                        @Override
                        public void channelRead(ChannelHandlerContext context, Object message) {
                          context.writeAndFlush(message);
                        }

                        @Override
                        public void exceptionCaught(ChannelHandlerContext context, Throwable e) {
                          context.close(); // a client that does not trust us
                        }
                      });
            }
          };
      channel =
          loops
              .server(initializer)
              .bind(InetAddress.getLoopbackAddress(), 0)
              .syncUninterruptibly()
              .channel();
    }

    SSLSocket connect(TestCertificate trusted) throws IOException, GeneralSecurityException {
      KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
      store.load(null, null);
      store.setCertificateEntry("trusted", trusted.certificate());
      TrustManagerFactory trust =
          TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
      trust.init(store);
      SSLContext context = SSLContext.getInstance("TLS");
      context.init(null, trust.getTrustManagers(), null);
      InetSocketAddress address = (InetSocketAddress) channel.localAddress();
      SSLSocket socket =
          (SSLSocket)
              context.getSocketFactory().createSocket(address.getAddress(), address.getPort());
      socket.setSoTimeout(20_000);
      socket.startHandshake();
      return socket;
    }

    @Override
    public void close() {
      loops.close();
    }
  }

  private static void echo(SSLSocket socket, String text) throws IOException {
    socket.getOutputStream().write(text.getBytes());
    assertArrayEquals(
        text.getBytes(), socket.getInputStream().readNBytes(text.length()), "what was sent");
  }

  private static X509Certificate shown(SSLSocket socket) throws IOException {
    return (X509Certificate) socket.getSession().getPeerCertificates()[0];
  }

  @ParameterizedTest
  @ValueSource(strings = {"EC", "RSA", "Ed25519"})
  void keysOfEveryKindAreUsed(String algorithm) throws Exception {
    TestCertificate made = TestCertificate.make(folder, "localhost", algorithm, 365);
    write(made.certificatePem(), made.keyPem());
    try (Echo server = new Echo(tls());
        SSLSocket socket = server.connect(made)) {
      echo(socket, "hello");
      assertEquals("TLSv1.3", socket.getSession().getProtocol());
    }
  }

  @Test
  void newFilesAreForNewConnectionsAndOldOnesGoOn() throws Exception {
    write(first.certificatePem(), first.keyPem());
    PemTls tls = tls();
    try (Echo server = new Echo(tls);
        ScheduledExecutorService timer = Executors.newSingleThreadScheduledExecutor();
        SSLSocket old = server.connect(first)) {
      FileWatch.start(List.of(certificate(), key()), Duration.ofMillis(5), timer, tls::reload);
      echo(old, "before");
      write(second.certificatePem(), second.keyPem());
      awaitShown(server, second);
      echo(old, "after");
      assertEquals(first.certificate(), shown(old));
      assertThrows(SSLException.class, () -> server.connect(first).close());
      timer.shutdownNow();
    }
  }

  private static void awaitShown(Echo server, TestCertificate wanted) throws Exception {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (true) {
      try (SSLSocket socket = server.connect(wanted)) {
        echo(socket, "new");
        return;
      } catch (SSLException e) { // the old one still
        assertTrue(System.nanoTime() < end, "not within 30 s");
      }
    }
  }

  @Test
  void aBadPairKeepsTheOldOne() throws Exception {
    write(first.certificatePem(), first.keyPem());
    PemTls tls = tls();
    try (Echo server = new Echo(tls)) {
      for (String[] bad :
          new String[][] {
            {second.certificatePem(), first.keyPem()}, // half written
            {first.certificatePem(), "garbage"},
            {"garbage", first.keyPem()},
            {first.certificatePem().substring(0, 300), first.keyPem()},
          }) {
        write(bad[0], bad[1]);
        tls.reload();
        try (SSLSocket socket = server.connect(first)) {
          echo(socket, "still");
        }
      }
      Files.delete(key());
      tls.reload();
      server.connect(first).close();
      write(second.certificatePem(), second.keyPem());
      tls.reload();
      server.connect(second).close();
    }
  }

  @Test
  void filesThatCannotBeUsedSayWhy() throws Exception {
    assertTrue(refused().contains("no such file (--tls-cert)"));
    Files.writeString(certificate(), first.certificatePem());
    assertTrue(refused().contains("no such file (--tls-key)"));
    Files.createSymbolicLink(key(), Path.of("/dev/zero"));
    assertTrue(refused().contains("has more than 1MiB"));
    Files.delete(key());
    write(second.certificatePem(), first.keyPem());
    assertTrue(refused().contains("is not that of the first certificate"));
    write(first.keyPem(), first.keyPem());
    assertTrue(refused().contains("no certificate is in there"));
    write(first.certificatePem(), first.certificatePem());
    assertTrue(refused().contains("no key is in there"));
    write(TestCertificate.pem("CERTIFICATE", new byte[100]), first.keyPem());
    assertTrue(refused().contains("certificate 1 cannot be read"));
    write(first.certificatePem(), TestCertificate.pem("PRIVATE KEY", new byte[100]));
    assertTrue(refused().contains("or damaged"));
    for (String kind : List.of("RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY")) {
      write(first.certificatePem(), TestCertificate.pem(kind, new byte[100]));
      assertTrue(refused().contains("openssl pkcs8"), kind);
    }
  }
}
