package dev.tandem.client;

import static dev.tandem.client.Answers.REQUEST;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.tandem.protocol.v1.ErrorCode;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Names that are found late, or not at all, or that have several addresses. */
@Timeout(60)
class AddressesTest {

  /** Where no server listens. */
  private static final byte[] ELSEWHERE = {127, 0, 0, 2};

  /** Answers at once until it is told to think; then it does until it is closed. */
  private static final class SlowResolver implements Lookup.Resolver, AutoCloseable {
    private final CountDownLatch answer = new CountDownLatch(1);
    private final AtomicInteger asked = new AtomicInteger();
    private final AtomicInteger thinking = new AtomicInteger();
    private volatile boolean slow;

    @Override
    public InetAddress[] addresses(String host) throws UnknownHostException {
      asked.incrementAndGet();
      if (slow) {
        thinking.incrementAndGet();
        try {
          assertTrue(answer.await(50, TimeUnit.SECONDS));
        } catch (InterruptedException e) {
          throw new AssertionError(e);
        }
      }
      return InetAddress.getAllByName(host);
    }

    void awaitThinking() throws InterruptedException {
      while (thinking.get() == 0) {
        Thread.sleep(1);
      }
    }

    void release() {
      answer.countDown();
    }

    @Override
    public void close() {
      release();
    }
  }

  @Test
  void streamsGoOnWhileANameIsLookedUp() throws InterruptedException {
    try (SlowResolver resolver = new SlowResolver();
        FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(server.options().connections(2).build(), resolver)) {
      TokenStream one = client.generate(REQUEST);
      FakeServer.Asked first = server.next();
      resolver.slow = true;
      TokenStream two = client.generate(REQUEST); // wants a connection of its own
      resolver.awaitThinking();
      for (int i = 0; i < 3; i++) {
        first.answer(Answers.token(i, "x"));
        assertEquals(i, one.iterator().next().getId());
      }
      FakeServer.Asked second = server.next(); // for want of another connection
      assertEquals(first.channel(), second.channel());
      Answers.aText(second);
      assertEquals(" upon a time", two.text());
    }
  }

  @Test
  void whoTriesAgainWaitsForTheSameAnswer() throws Exception {
    try (SlowResolver resolver = new SlowResolver();
        FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(
                server.options().connectTimeout(Duration.ofMillis(30)).build(), resolver)) {
      TokenStream lost = client.generate(REQUEST);
      server.next().channel().close();
      assertThrows(TandemException.class, lost::finished);
      resolver.slow = true;
      TokenStream stream = client.generate(REQUEST);
      resolver.awaitThinking();
      Thread.sleep(300); // time for several attempts
      assertEquals(2, resolver.asked.get());
      resolver.release();
      Answers.aText(server.next());
      assertEquals(" upon a time", stream.text());
    }
  }

  @Test
  void theTimeToConnectIsThatOfALookupToo() {
    try (SlowResolver resolver = new SlowResolver()) {
      resolver.slow = true;
      ClientOptions options =
          ClientOptions.to("slow.example", 9).connectTimeout(Duration.ofMillis(100)).build();
      TandemException failure = refused(options, resolver);
      assertEquals(ErrorCode.UNAVAILABLE, failure.code());
      assertTrue(failure.retry());
      assertEquals(
          "cannot connect to slow.example:9: no address is found for 100 ms", failure.getMessage());
    }
  }

  @Test
  void aNameThatIsUnknownIsTold() {
    TandemException failure =
        refused(
            ClientOptions.to("gone.example", 9).build(),
            host -> {
              throw new UnknownHostException(host + ": Name or service not known");
            });
    assertEquals("cannot connect to gone.example:9: no such host", failure.getMessage());
    assertTrue(failure.retry());
  }

  @Test
  void aNameWithoutAddressesIsTold() {
    TandemException failure =
        refused(ClientOptions.to("nowhere", 1).build(), host -> new InetAddress[0]);
    assertEquals("cannot connect to nowhere:1: no such host", failure.getMessage());
  }

  @Test
  void aResolverThatFailsIsTold() {
    TandemException failure =
        refused(
            ClientOptions.to("odd.example", 9).build(),
            host -> {
              throw new IllegalStateException("out of order");
            });
    assertEquals("cannot connect to odd.example:9: out of order", failure.getMessage());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 30})
  void theNextAddressIsTriedIfOneRefuses(int closed) {
    try (FakeServer server = FakeServer.start();
        TandemClient client =
            TandemClient.connect(
                server.options().build(),
                host -> {
                  InetAddress[] addresses = new InetAddress[closed + 1];
                  for (int i = 0; i < closed; i++) {
                    addresses[i] = InetAddress.getByAddress(host, elsewhere(i));
                  }
                  addresses[closed] = InetAddress.getLoopbackAddress();
                  return addresses;
                });
        TokenStream stream = client.generate(REQUEST)) {
      Answers.aText(server.next());
      assertEquals(" upon a time", stream.text());
    }
  }

  private static byte[] elsewhere(int number) {
    byte[] address = ELSEWHERE.clone();
    address[3] += (byte) number;
    return address;
  }

  @Test
  void whatAllAddressesSayIsToldOnce() throws IOException {
    ClientOptions options = ClientOptions.to("many.example", unusedPort()).build();
    TandemException failure =
        refused(
            options,
            host ->
                new InetAddress[] {
                  InetAddress.getByAddress(host, elsewhere(0)),
                  InetAddress.getByAddress(host, elsewhere(1))
                });
    assertEquals(
        "cannot connect to %s: Connection refused".formatted(options.address()),
        failure.getMessage());
  }

  /** One that says nothing leaves time to the next; else each says what it has to. */
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void anAddressThatSaysNothingLeavesTimeToTheNext(boolean served) throws IOException {
    FakeServer server = FakeServer.start();
    InetAddress silent = InetAddress.getByAddress(ELSEWHERE);
    try (ServerSocket full = new ServerSocket(server.port(), 1, silent)) {
      List<Socket> queue = fill(full);
      if (!served) {
        server.close();
      }
      Duration time = served ? Duration.ofSeconds(8) : Duration.ofMillis(400);
      ClientOptions options = server.options().connectTimeout(time).build();
      Lookup.Resolver resolver =
          host -> new InetAddress[] {silent, InetAddress.getLoopbackAddress()};
      if (served) {
        TandemClient.connect(options, resolver).close();
      } else {
        String message = refused(options, resolver).getMessage();
        assertTrue(
            message.matches(
                "cannot connect to localhost:\\d+: no answer for \\d+ ms \\(127\\.0\\.0\\.2\\),"
                    + " Connection refused \\(127\\.0\\.0\\.1\\)"),
            message);
      }
      for (Socket socket : queue) {
        socket.close();
      }
    } finally {
      server.close();
    }
  }

  /** Connects until nobody is let in any more. */
  private static List<Socket> fill(ServerSocket full) throws IOException {
    List<Socket> sockets = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      Socket socket = new Socket();
      sockets.add(socket);
      try {
        socket.connect(full.getLocalSocketAddress(), 100);
      } catch (SocketTimeoutException e) {
        return sockets;
      }
    }
    assumeTrue(false, "this system lets in more than it was asked to");
    return sockets;
  }

  private static TandemException refused(ClientOptions options, Lookup.Resolver resolver) {
    return assertThrows(TandemException.class, () -> TandemClient.connect(options, resolver));
  }

  private static int unusedPort() throws IOException {
    try (ServerSocket socket = new ServerSocket()) {
      socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
      return socket.getLocalPort();
    }
  }
}
