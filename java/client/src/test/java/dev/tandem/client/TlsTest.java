package dev.tandem.client;

import static dev.tandem.client.Answers.REQUEST;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.ErrorCode;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.KeyManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TlsTest {

  private static final String PASSWORD = "password";

  @TempDir private Path folder;

  @Test
  void talksToAServerThatItTrusts() throws Exception {
    Path certificate = certificate("localhost");
    try (FakeServer server = FakeServer.withTls(tls());
        TandemClient client =
            TandemClient.connect(server.options().tls(ClientTls.trusting(certificate)).build());
        TokenStream stream = client.generate(REQUEST)) {
      Answers.aText(server.next());
      assertEquals(" upon a time", stream.text());
    }
  }

  @Test
  void refusesACertificateOfAnotherHost() throws Exception {
    Path certificate = certificate("elsewhere.example");
    assertUntrusted(ClientTls.trusting(certificate));
  }

  @Test
  void refusesACertificateThatNobodyTrusts() throws Exception {
    certificate("localhost");
    assertUntrusted(ClientTls.ofTheSystem());
  }

  @Test
  void tellsThatAServerTalksWithoutTls() throws Exception {
    Path certificate = certificate("localhost");
    try (FakeServer server = FakeServer.start()) {
      ClientOptions options = server.options().tls(ClientTls.trusting(certificate)).build();
      TandemException failure =
          assertThrows(TandemException.class, () -> TandemClient.connect(options));
      assertTrue(failure.getMessage().contains(server.address()), failure.getMessage());
    }
  }

  /** One that ends, or is started again, is there later. */
  @Test
  void aConnectionThatIsLostInTheHandshakeIsNoReasonToGiveUp() throws Exception {
    Path certificate = certificate("localhost");
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Thread closer =
          Thread.ofPlatform()
              .start(() -> {
                try (Socket peer = server.accept()) {
                  assertEquals(22, peer.getInputStream().read(), "the client's first word");
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
      ClientOptions options =
          ClientOptions.to("localhost", server.getLocalPort())
              .tls(ClientTls.trusting(certificate))
              .build();
      TandemException failure =
          assertThrows(TandemException.class, () -> TandemClient.connect(options));
      assertTrue(failure.retry());
      assertEquals(ErrorCode.UNAVAILABLE, failure.code());
      assertTrue(failure.getMessage().contains("during the TLS handshake"), failure.getMessage());
      closer.join();
    }
  }

  @Test
  void tellsThatAServerWantsTls() throws Exception {
    certificate("localhost");
    try (FakeServer server = FakeServer.withTls(tls())) {
      TandemException failure = assertThrows(TandemException.class, server::client);
      assertTrue(failure.getMessage().contains(server.address()), failure.getMessage());
    }
  }

  @Test
  void tellsOfAFileThatHasNoCertificates() throws Exception {
    Path file = Files.writeString(folder.resolve("empty.pem"), "nothing");
    ClientOptions options = ClientOptions.to("localhost", 1).tls(ClientTls.trusting(file)).build();
    TandemException failure =
        assertThrows(TandemException.class, () -> TandemClient.connect(options));
    assertEquals(ErrorCode.INVALID_ARGUMENT, failure.code());
    assertTrue(failure.getMessage().contains("empty.pem"), failure.getMessage());
  }

  private void assertUntrusted(ClientTls trust) throws Exception {
    try (FakeServer server = FakeServer.withTls(tls())) {
      ClientOptions options = server.options().token("canary").tls(trust).build();
      TandemException failure =
          assertThrows(TandemException.class, () -> TandemClient.connect(options));
      assertFalse(failure.retry());
      assertTrue(failure.getMessage().startsWith("TLS with "), failure.getMessage());
      assertEquals(List.of(), server.hellos(), "the token was not told");
    }
  }

  private SslContext tls() throws Exception {
    KeyStore store = KeyStore.getInstance("PKCS12");
    try (InputStream in = Files.newInputStream(folder.resolve("key.p12"))) {
      store.load(in, PASSWORD.toCharArray());
    }
    KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
    keys.init(store, PASSWORD.toCharArray());
    return SslContextBuilder.forServer(keys).sslProvider(SslProvider.JDK).build();
  }

  /** Makes a key for a host; returns its certificate. */
  private Path certificate(String host) throws Exception {
    Path certificate = folder.resolve("certificate.pem");
    keytool(
        "-genkeypair",
        "-alias",
        "server",
        "-keyalg",
        "EC",
        "-dname",
        "CN=" + host,
        "-validity",
        "2",
        "-ext",
        "san=dns:" + host);
    keytool("-exportcert", "-alias", "server", "-rfc", "-file", certificate.toString());
    return certificate;
  }

  private void keytool(String... arguments) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "keytool").toString());
    command.addAll(List.of(arguments));
    command.addAll(
        List.of(
            "-keystore",
            folder.resolve("key.p12").toString(),
            "-storetype",
            "PKCS12",
            "-storepass",
            PASSWORD));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes());
    assertTrue(process.waitFor(30, TimeUnit.SECONDS), said);
    assertEquals(0, process.exitValue(), said);
  }
}
