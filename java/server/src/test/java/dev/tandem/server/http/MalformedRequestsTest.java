package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.server.http.RawConnection.Reply;
import dev.tandem.server.request.ScriptedBackend;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that break the rules of HTTP/1.1. Each has its answer, and the server lives. */
@Timeout(120)
final class MalformedRequestsTest {

  static Stream<Arguments> wrongRequests() {
    return Stream.of(
        Arguments.of(
            "both lengths",
            400,
            Requests.head("Content-Length: 15\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "both lengths, the other way",
            400,
            Requests.head("Transfer-Encoding: chunked\r\nContent-Length: 15\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "two lengths",
            400,
            Requests.head("Content-Length: 15\r\nContent-Length: 16\r\n") + "{\"content\":\"a\"}"),
        Arguments.of(
            "the same length twice",
            400,
            Requests.head("Content-Length: 15\r\nContent-Length: 15\r\n") + "{\"content\":\"a\"}"),
        Arguments.of(
            "a list of lengths",
            400,
            Requests.head("Content-Length: 15, 15\r\n") + "{\"content\":\"a\"}"),
        Arguments.of(
            "a length with a sign",
            400,
            Requests.head("Content-Length: +15\r\n") + "{\"content\":\"a\"}"),
        Arguments.of("a negative length", 400, Requests.head("Content-Length: -1\r\n")),
        Arguments.of("a length that is no number", 400, Requests.head("Content-Length: 0x0f\r\n")),
        Arguments.of(
            "a length beyond 64 bits",
            400,
            Requests.head("Content-Length: 99999999999999999999\r\n")),
        Arguments.of("a giant length", 413, Requests.head("Content-Length: 9999999999\r\n")),
        Arguments.of(
            "a bare LF in the first line", 400, "GET /live HTTP/1.1\nHost: localhost\r\n\r\n"),
        Arguments.of("a bare LF in a field", 400, "GET /live HTTP/1.1\r\nHost: localhost\n\r\n"),
        Arguments.of("a bare LF at the end", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\n\n"),
        Arguments.of(
            "a bare CR in a field",
            400,
            "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\rc\r\n\r\n"),
        Arguments.of(
            "a folded field", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n"),
        Arguments.of(
            "a folded field, by a tab",
            400,
            "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\r\n\tc\r\n\r\n"),
        Arguments.of("a folded first field", 400, "GET /live HTTP/1.1\r\n Host: localhost\r\n\r\n"),
        Arguments.of(
            "a folded field behind an empty line",
            400,
            "\r\nGET /live HTTP/1.1\r\nHost: localhost\r\nA: b\r\n c\r\n\r\n"),
        Arguments.of(
            "a blank before the colon", 400, "GET /live HTTP/1.1\r\nHost : localhost\r\n\r\n"),
        Arguments.of("no colon", 400, "GET /live HTTP/1.1\r\nHost localhost\r\n\r\n"),
        Arguments.of(
            "a NUL in a field", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\nA: b\0c\r\n\r\n"),
        Arguments.of("no host", 400, "GET /live HTTP/1.1\r\n\r\n"),
        Arguments.of(
            "two hosts", 400, "GET /live HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"),
        Arguments.of(
            "two tokens",
            400,
            "GET /live HTTP/1.1\r\n"
                + "Host: localhost\r\n"
                + "Authorization: Bearer a\r\n"
                + "Authorization: Bearer b\r\n\r\n"),
        Arguments.of(
            "two types",
            400,
            Requests.head("Content-Type: application/json\r\nContent-Length: 2\r\n") + "{}"),
        Arguments.of(
            "a compressed body",
            415,
            Requests.head("Content-Encoding: gzip\r\nContent-Length: 2\r\n") + "{}"),
        Arguments.of(
            "a compressed transfer",
            501,
            Requests.head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "chunked twice",
            400,
            Requests.head("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "an unknown transfer",
            400,
            Requests.head("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n"),
        Arguments.of(
            "chunks in HTTP/1.0",
            400,
            Requests.head("Transfer-Encoding: chunked\r\n").replace("1.1", "1.0") + "0\r\n\r\n"),
        Arguments.of(
            "a chunk without a size",
            400,
            Requests.head("Transfer-Encoding: chunked\r\n") + "zz\r\n\r\n"),
        Arguments.of(
            "a negative chunk",
            400,
            Requests.head("Transfer-Encoding: chunked\r\n") + "-1\r\n\r\n"),
        Arguments.of(
            "a chunk with a bare LF",
            400,
            Requests.head("Transfer-Encoding: chunked\r\n") + "2\n{}\n0\n\n"),
        Arguments.of(
            "an unknown expectation",
            417,
            Requests.head("Expect: a-miracle\r\nContent-Length: 2\r\n") + "{}"),
        Arguments.of("no type", 415, Requests.head("").replace("Content-Type", "X-Type")),
        Arguments.of(
            "a form",
            415,
            Requests.head("Content-Length: 2\r\n").replace("application/json", "text/plain")
                + "{}"),
        Arguments.of("no path", 400, "GET live HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Arguments.of(
            "a path that is not encoded well", 400, "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        Arguments.of("a giant path", 414, "GET /" + "a".repeat(20_000) + " HTTP/1.1\r\n"),
        Arguments.of(
            "a giant field",
            431,
            "GET /live HTTP/1.1\r\nHost: localhost\r\nA: " + "b".repeat(40_000)),
        Arguments.of(
            "many fields",
            431,
            "GET /live HTTP/1.1\r\nHost: localhost\r\n" + "A: b\r\n".repeat(5_000)),
        Arguments.of("another version", 505, "GET /live HTTP/3.0\r\nHost: localhost\r\n\r\n"),
        Arguments.of("no HTTP", 400, "hello\r\n\r\n"),
        Arguments.of("TLS", 400, "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\r\n\r\n"),
        Arguments.of(
            "a connect", 400, "CONNECT example.com:443 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("wrongRequests")
  void wrongRequestsAreErrors(String what, int status, String request) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      raw.send(request);
      Reply reply = raw.read();
      assertEquals(status, reply.status(), what);
      assertTrue(CompletionsTest.json(reply.body()).has("error"), reply.body());
      // Where the end of the request is not known, nothing behind it is read.
      if (reply.headers().containsKey("connection")) {
        raw.send(Requests.get("/live"));
        assertEquals("", raw.toEnd());
      }
      port.assertAlive();
    }
  }

  /** What follows a request that two programs could end at two places must never be answered. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "Content-Length: 15\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 15\r\nContent-Length: 16\r\n",
        "Content-Length: 15\r\nContent-Length: 15\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "A: b\r\n c: d\r\nContent-Length: 15\r\n",
        "Content-Encoding: gzip\r\nContent-Length: 15\r\n",
      })
  void whatFollowsADoubtfulRequestIsNotServed(String fields) {
    try (HttpPort port = HttpPort.of(ScriptedBackend.saying("yes"));
        RawConnection raw = port.connect()) {
      raw.send(Requests.head(fields) + "{\"content\":\"a\"}" + Requests.get("/live"));
      Reply reply = raw.read();
      assertTrue(reply.status() >= 400, reply.toString());
      assertEquals("close", reply.headers().get("connection"));
      assertEquals("", raw.toEnd());
    }
  }
}
