package dev.tandem.server.http;

import dev.tandem.server.metrics.Metrics;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import java.util.Optional;

/** Says which requests are read, and how far. One for all connections. */
final class RequestIntake {

  private final HttpOptions options;
  private final Gatekeeper gatekeeper;
  private final Metrics metrics;
  private final BodyBudget budget;

  RequestIntake(HttpOptions options, Gatekeeper gatekeeper, Metrics metrics) {
    this.options = options;
    this.gatekeeper = gatekeeper;
    this.metrics = metrics;
    this.budget = new BodyBudget(options.sizes().allBodies());
  }

  /** For bodies, and for answers that are large. */
  BodyBudget budget() {
    return budget;
  }

  Optional<String> corsOrigin(HttpRequest request) {
    return gatekeeper.corsOrigin(request);
  }

  /** Counts a request that is refused before it is known what it is. */
  void observe(Exchange exchange) {
    exchange.observe(status -> metrics.httpAnswer("refused", status.code()));
  }

  /**
   * Looks at a request's header.
   *
   * @throws HttpFailure if it is not served
   */
  void admit(RequestInProgress request) {
    HttpRequest head = request.head();
    requireDecoded(head.decoderResult().cause());
    if (head.protocolVersion().majorVersion() != 1) {
      request.exchange().closeAfterwards();
      throw HttpFailure.of(
          HttpResponseStatus.HTTP_VERSION_NOT_SUPPORTED,
          "http_version_not_supported",
          "this server speaks HTTP/1.1");
    }
    requirePlainBody(head.headers());
    if (HttpUtil.getContentLength(head, 0L) > options.sizes().body()) {
      throw tooLarge();
    }
    RequestTarget target = RequestTarget.of(head.uri());
    request.admit(target, gatekeeper.admit(head, target));
  }

  private static void requireDecoded(Throwable cause) {
    switch (cause) {
      case null -> {}
      case TooLongHttpLineException e ->
          throw HttpFailure.of(
              HttpResponseStatus.REQUEST_URI_TOO_LONG,
              "uri_too_long",
              "the request's first line is too long");
      case TooLongHttpHeaderException e ->
          throw HttpFailure.of(
              HttpResponseStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
              "header_too_large",
              "the request's header is too large");
      default ->
          throw HttpFailure.of(
              HttpResponseStatus.BAD_REQUEST, "malformed_request", "this is no HTTP/1.1 request");
    }
  }

  private static void requirePlainBody(HttpHeaders headers) {
    for (String coding : headers.getAll(HttpHeaderNames.TRANSFER_ENCODING)) {
      if (!coding.strip().equalsIgnoreCase("chunked")) {
        throw HttpFailure.of(
            HttpResponseStatus.NOT_IMPLEMENTED,
            "unsupported_encoding",
            "the only transfer coding that is supported is chunked");
      }
    }
    for (String coding : headers.getAll(HttpHeaderNames.CONTENT_ENCODING)) {
      if (!coding.strip().equalsIgnoreCase("identity")) {
        throw HttpFailure.of(
            HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_encoding",
            "compressed bodies are not supported: send it as it is");
      }
    }
    for (String expected : headers.getAll(HttpHeaderNames.EXPECT)) {
      if (!HttpHeaderValues.CONTINUE.contentEqualsIgnoreCase(expected.strip())) {
        throw HttpFailure.of(
            HttpResponseStatus.EXPECTATION_FAILED,
            "unsupported_expectation",
            "the only expectation that is supported is 100-continue");
      }
    }
  }

  /**
   * Adds a part of a body.
   *
   * @throws HttpFailure if it cannot be taken
   */
  void append(RequestInProgress request, HttpContent content) {
    requireDecoded(content.decoderResult().cause());
    int bytes = content.content().readableBytes();
    if (bytes > options.sizes().body() - request.bodyBytes()) {
      throw tooLarge();
    }
    if (!budget.take(bytes)) {
      throw HttpFailure.overloaded(
          "bodies and answers of other requests take all memory that there is for them");
    }
    request.append(content.content());
  }

  /** A request's body is needed no more. */
  void forget(RequestInProgress request) {
    budget.giveBack(request.bodyBytes());
  }

  private HttpFailure tooLarge() {
    return HttpFailure.of(
        HttpResponseStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        "the body is larger than %d bytes".formatted(options.sizes().body()));
  }

  /** Tells a client that waits for it to send the body. */
  static FullHttpResponse goOn() {
    return new DefaultFullHttpResponse(
        HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER);
  }
}
