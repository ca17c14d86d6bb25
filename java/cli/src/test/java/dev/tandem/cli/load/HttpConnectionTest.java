package dev.tandem.cli.load;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What servers send, byte by byte: right, wrong and without an end. */
@Timeout(60)
final class HttpConnectionTest {

  private static final String MODELS =
      "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{\"vocabulary\":77}";
  private static final String TEXT = "data: {\"choices\":[{\"text\":\"a\"}]}\n\ndata: [DONE]\n\n";

  private final ServerSocket listener;
  private final AtomicInteger connections = new AtomicInteger();

  HttpConnectionTest() throws IOException {
    listener = new ServerSocket(0, 10, InetAddress.getLoopbackAddress());
  }

  @AfterEach
  void close() throws IOException {
    listener.close();
  }

  /** Each connection gets the answers of its list, one for each request, and is then closed. */
  @SafeVarargs
  private void answering(List<String>... ofConnections) {
    Thread.ofVirtual()
        .start(() -> {
          try {
            for (List<String> answers : ofConnections) {
              try (Socket socket = listener.accept()) {
                connections.incrementAndGet();
                answer(socket, new ArrayDeque<>(answers));
              } catch (IOException e) {
                // The client has heard enough.
              }
            }
          } catch (RuntimeException e) {
            throw new AssertionError(e);
          }
        });
  }

  private static void answer(Socket socket, Deque<String> answers) throws IOException {
    BufferedReader in =
        new BufferedReader(new InputStreamReader(socket.getInputStream(), ISO_8859_1));
    while (!answers.isEmpty()) {
      int length = 0;
      for (String line = in.readLine(); !line.isEmpty(); line = in.readLine()) {
        if (line.startsWith("Content-Length: ")) {
          length = Integer.parseInt(line.substring(16));
        }
      }
      in.skip(length);
      socket.getOutputStream().write(answers.poll().getBytes(ISO_8859_1));
    }
  }

  private static String whole(String body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + body.length() + "\r\n\r\n" + body;
  }

  private SseTarget target() {
    URI server = URI.create("http://localhost:" + listener.getLocalPort());
    return new SseTarget(server, Optional.empty(), Duration.ofSeconds(20));
  }

  private String error(String answer) {
    answering(List.of(MODELS), List.of(answer));
    try (SseTarget target = target()) {
      return target.run(new int[] {1}, 1).error().orElse("none");
    }
  }

  @Test
  void interimAnswersAreNotTheAnswer() {
    assertEquals(
        "none",
        error(
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                + whole(TEXT)));
  }

  /** As happens to every client: the server's patience with an idle connection was over. */
  @Test
  void aKeptConnectionThatTheServerClosedIsReplaced() {
    answering(List.of(MODELS), List.of(whole(TEXT)), List.of(whole(TEXT)));
    try (SseTarget target = target()) {
      assertEquals(Optional.empty(), target.run(new int[] {1}, 1).error());
      assertEquals(Optional.empty(), target.run(new int[] {1}, 1).error());
      assertEquals(3, connections.get());
    }
  }

  @Test
  void aNewConnectionThatIsClosedIsAnErrorAndNotTriedAgain() {
    answering(List.of(MODELS), List.of(""), List.of(whole(TEXT)));
    try (SseTarget target = target()) {
      assertEquals(
          Optional.of("the server closed the connection"), target.run(new int[] {1}, 1).error());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nx",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"
      })
  void numbersThatAreNoneAreAnError(String answer) {
    String error = error(answer);
    assertTrue(error.startsWith("the server answered no HTTP/1.1: "), error);
  }

  @Test
  void headersWithoutAnEndAreAnError() {
    String error = error("HTTP/1.1 200 OK\r\n" + "x: y\r\n".repeat(100_000) + "\r\n");
    assertTrue(error.contains("64 KiB"), error);
  }

  @Test
  void anErrorPageIsReadOnlySoFar() {
    String error = error("HTTP/1.1 500 No\r\n\r\n" + "page\n".repeat(1_000_000));
    assertTrue(error.startsWith("HTTP 500: page"), error);
    assertTrue(error.length() < 2000, () -> error.length() + " characters");
  }

  @Test
  void aLongMessageOfAnErrorIsCut() {
    String error =
        error(
            "HTTP/1.1 400 No\r\n\r\n{\"error\":{\"message\":\""
                + "quoted \\\" ".repeat(5_000)
                + "\"}}");
    assertTrue(error.startsWith("HTTP 400: quoted \" quoted"), error);
    assertTrue(error.length() < 2000, () -> error.length() + " characters");
  }

  @Test
  void aServerWithoutAVocabularyIsTakenToHaveOne() {
    answering(List.of(whole("{\"vocabulary\":0,\"context_tokens\":-5}")));
    try (SseTarget target = target()) {
      assertEquals(1000, target.vocabulary());
      assertEquals(Integer.MAX_VALUE, target.contextTokens());
    }
  }
}
