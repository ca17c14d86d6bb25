package dev.tandem.server.http;

import dev.tandem.server.http.ConnectionClock.Phase;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.DefaultHttpRequest;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes whole requests of their parts, and lets one pass at a time: what a client sends before it
 * has its answer (pipelining) waits here, and when that is much, in the client's own buffers.
 *
 * <pre>
 * HttpRequest, HttpContent*, LastHttpContent, HttpRequest, ...
 *   -&gt; HttpCall          (its Exchange has been answered)           -&gt; HttpCall ...
 * </pre>
 *
 * <p>A request that cannot be read to its end is answered and the connection closed: nobody knows
 * where the next one would begin.
 */
final class RequestCollector extends ChannelInboundHandlerAdapter implements Exchange.Progress {

  private static final Logger log = LoggerFactory.getLogger(RequestCollector.class);
  private static final int MOST_PARTS_HELD = 64;
  private static final int MOST_BYTES_HELD = 64 << 10;
  private static final int FIELD_BYTES = 100; // of a header's field, beside its characters

  private final RequestIntake intake;
  private final ConnectionClock clock;
  private final Deque<Object> held = new ArrayDeque<>();
  private long heldBytes;
  private Optional<RequestInProgress> reading = Optional.empty();
  private Optional<Exchange> serving = Optional.empty();
  private boolean closing;
  private ChannelHandlerContext context;

  RequestCollector(RequestIntake intake, ConnectionClock clock) {
    this.intake = intake;
    this.clock = clock;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  @Override
  public void channelRead(ChannelHandlerContext reader, Object message) {
    if (closing) {
      ReferenceCountUtil.release(message);
    } else if (serving.isPresent()) {
      hold(message);
    } else {
      take(message);
    }
  }

  private void hold(Object message) {
    held.add(message);
    heldBytes += bytes(message);
    if (held.size() > MOST_PARTS_HELD || heldBytes > MOST_BYTES_HELD) {
      // From here on a client that goes away is noticed when it is written to.
      context.channel().config().setAutoRead(false);
    }
  }

  /** About what it takes of memory. */
  private static long bytes(Object message) {
    long bytes = 0;
    if (message instanceof HttpRequest request) {
      bytes += request.uri().length();
      for (Map.Entry<String, String> field : request.headers()) {
        bytes += FIELD_BYTES + field.getKey().length() + field.getValue().length();
      }
    }
    if (message instanceof HttpContent content) {
      bytes += content.content().readableBytes();
    }
    return bytes;
  }

  private void take(Object message) {
    try {
      if (message instanceof HttpRequest request) {
        begin(request);
      }
      if (message instanceof HttpContent content && reading.isPresent()) {
        append(reading.get(), content);
      }
    } catch (HttpFailure e) {
      refuse(e);
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void begin(HttpRequest request) {
    RequestInProgress next =
        new RequestInProgress(
            request,
            new Exchange(context, this, intake.budget(), request, intake.corsOrigin(request)));
    reading = Optional.of(next);
    intake.admit(next);
    if (next.hasBody()) {
      clock.enter(Phase.BODY);
      if (next.expectsContinue()) {
        context.writeAndFlush(RequestIntake.goOn());
      }
    }
  }

  private void append(RequestInProgress request, HttpContent content) {
    intake.append(request, content);
    if (content instanceof LastHttpContent) {
      reading = Optional.empty();
      serve(request.exchange());
      clock.enter(Phase.SERVING);
      request.exchange().whenOver(() -> intake.forget(request));
      context.fireChannelRead(request.toCall());
    }
  }

  private void serve(Exchange exchange) {
    serving = Optional.of(exchange);
  }

  /** Answers a request that was not read to its end. */
  private void refuse(HttpFailure failure) {
    RequestInProgress request = reading.orElseThrow();
    reading = Optional.empty();
    intake.forget(request);
    if (!request.isWhole()) {
      request.exchange().closeAfterwards();
    }
    serve(request.exchange());
    log.debug("request {}: {}", request.exchange().id(), failure.code());
    intake.observe(request.exchange());
    request.exchange().fail(failure);
  }

  @Override
  public void sending() {
    clock.enter(Phase.SENDING);
  }

  @Override
  public void answered(boolean close) {
    serving.ifPresent(Exchange::over);
    serving = Optional.empty();
    if (close) {
      closeGently();
      return;
    }
    clock.enter(Phase.IDLE);
    while (serving.isEmpty() && !closing && !held.isEmpty()) {
      Object next = held.remove();
      heldBytes -= bytes(next);
      take(next);
    }
    if (held.isEmpty()) {
      context.channel().config().setAutoRead(true);
    }
  }

  /**
   * Says that nothing more will come, and reads on for a while: closing with unread bytes would
   * reset the connection, and the client might lose the answer.
   */
  private void closeGently() {
    closing = true;
    releaseHeld();
    clock.enter(Phase.CLOSING);
    context.channel().config().setAutoRead(true);
    if (context.pipeline().get(SslHandler.class) == null
        && context.channel() instanceof SocketChannel socket) {
      socket.shutdownOutput();
    }
  }

  private void releaseHeld() {
    held.forEach(ReferenceCountUtil::release);
    held.clear();
    heldBytes = 0;
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext event, Object what) {
    if (!(what instanceof ConnectionClock.Expired expired)) {
      event.fireUserEventTriggered(what);
      return;
    }
    switch (expired.phase()) {
      case HEAD, BODY -> {
        if (reading.isEmpty()) { // not even a header
          reading = Optional.of(nameless());
        }
        refuse(
            HttpFailure.of(
                HttpResponseStatus.REQUEST_TIMEOUT,
                "request_timeout",
                "the request did not come in time"));
      }
      case IDLE, SENDING, CLOSING, SERVING -> event.close();
    }
  }

  private RequestInProgress nameless() {
    HttpRequest request = new DefaultHttpRequest(HttpVersion.HTTP_1_0, HttpMethod.GET, "/");
    return new RequestInProgress(
        request, new Exchange(context, this, intake.budget(), request, Optional.empty()));
  }

  @Override
  public void channelInactive(ChannelHandlerContext inactive) {
    closing = true;
    releaseHeld();
    reading.ifPresent(intake::forget);
    reading = Optional.empty();
    serving.ifPresent(Exchange::over);
    serving = Optional.empty();
    inactive.fireChannelInactive();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext failed, Throwable cause) {
    // By its kind alone: messages of decoders quote what they were given.
    log.debug("connection closed: {}", cause.getClass().getName());
    failed.close();
  }
}
