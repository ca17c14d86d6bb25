package dev.tandem.server.http;

import dev.tandem.server.request.Caller;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpUtil;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Optional;

/** A request whose body is still on its way. For the event loop. */
final class RequestInProgress {

  private final HttpRequest head;
  private final Exchange exchange;
  private final ByteArrayOutputStream body = new ByteArrayOutputStream(0);
  private Optional<RequestTarget> target = Optional.empty();
  private Caller caller = Caller.ANYBODY;

  RequestInProgress(HttpRequest head, Exchange exchange) {
    this.head = head;
    this.exchange = exchange;
  }

  HttpRequest head() {
    return head;
  }

  Exchange exchange() {
    return exchange;
  }

  /** The request has been let in. */
  void admit(RequestTarget asked, Caller by) {
    target = Optional.of(asked);
    caller = by;
  }

  /** Whether the header promises one. */
  boolean hasBody() {
    return HttpUtil.isTransferEncodingChunked(head) || HttpUtil.getContentLength(head, 0L) > 0;
  }

  boolean expectsContinue() {
    return head.headers().contains(HttpHeaderNames.EXPECT);
  }

  /** Whether the next request begins where this one's header ends. */
  boolean isWhole() {
    return head.decoderResult().isSuccess() && !hasBody();
  }

  int bodyBytes() {
    return body.size();
  }

  void append(ByteBuf content) {
    try {
      content.readBytes(body, content.readableBytes());
    } catch (IOException e) {
      throw new UncheckedIOException("an array can always be written", e);
    }
  }

  /** What is to be served. */
  HttpCall toCall() {
    return new HttpCall(
        exchange,
        head.method(),
        target.orElseThrow(),
        caller,
        Optional.ofNullable(head.headers().get(HttpHeaderNames.IF_NONE_MATCH)),
        body.toByteArray());
  }
}
