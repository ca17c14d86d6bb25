package dev.tandem.server.http;

import dev.tandem.server.transport.WriteGate;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * One request's way back: a whole answer, or one that comes in parts. For any thread; exactly one
 * answer is given, and what comes after it, or after the client has gone, is dropped.
 */
final class Exchange {

  /** Hears on the event loop how an answer comes along. */
  interface Progress {

    /** The last part is about to be sent. */
    void sending();

    /**
     * The client has been sent everything.
     *
     * @param close whether the connection is to be closed now
     */
    void answered(boolean close);
  }

  /** As much as a connection may have to send anyway. */
  private static final int SMALL_ANSWER = 64 << 10;

  private static final Answer NO_ROOM =
      Answer.of(
          HttpFailure.overloaded(
              "bodies and answers of other requests take all memory that there is for them"));

  private final ChannelHandlerContext context;
  private final Progress progress;
  private final BodyBudget budget;
  private final String id;
  private final boolean isHead;
  private final boolean isOld; // HTTP/1.0, which knows no chunks
  private final Optional<String> corsOrigin;
  private final List<Runnable> endings = new ArrayList<>();
  private volatile Consumer<HttpResponseStatus> observer = status -> {};
  private volatile boolean keepAlive;
  private boolean begun; // guarded by this
  private boolean over; // guarded by this

  /**
   * @param budget of which large answers take what they need, until the client has them
   */
  Exchange(
      ChannelHandlerContext context,
      Progress progress,
      BodyBudget budget,
      HttpRequest request,
      Optional<String> corsOrigin) {
    this.context = context;
    this.progress = progress;
    this.budget = budget;
    this.id = RequestIds.of(request.headers().getAll("x-request-id"));
    this.isHead = request.method().equals(HttpMethod.HEAD);
    this.isOld = request.protocolVersion().compareTo(HttpVersion.HTTP_1_1) < 0;
    this.keepAlive = HttpUtil.isKeepAlive(request);
    this.corsOrigin = corsOrigin;
  }

  /** Names the request in logs and answers. */
  String id() {
    return id;
  }

  /** The connection is closed behind the answer. */
  void closeAfterwards() {
    keepAlive = false;
  }

  /** Is told the status that the answer has. */
  void observe(Consumer<HttpResponseStatus> listener) {
    observer = listener;
  }

  /** Is run when the client has its answer, or has gone; at once if that has been. */
  void whenOver(Runnable ending) {
    synchronized (this) {
      if (!over) {
        endings.add(ending);
        return;
      }
    }
    ending.run();
  }

  /** The client has its answer, or has gone. */
  void over() {
    List<Runnable> all;
    synchronized (this) {
      over = true;
      all = List.copyOf(endings);
      endings.clear();
    }
    all.forEach(Runnable::run);
  }

  void fail(HttpFailure failure) {
    send(Answer.of(failure));
  }

  /** Gives a whole answer, or if there is no room for it, says so. */
  void send(Answer answer) {
    if (begin()) {
      sendNow(answer.body().length <= SMALL_ANSWER || keep(answer) ? answer : NO_ROOM);
    }
  }

  private boolean keep(Answer answer) {
    int bytes = answer.body().length;
    boolean fits = budget.take(bytes);
    if (fits) {
      whenOver(() -> budget.giveBack(bytes));
    }
    return fits;
  }

  private void sendNow(Answer answer) {
    observer.accept(answer.status());
    boolean bodiless = isHead || answer.status().equals(HttpResponseStatus.NOT_MODIFIED);
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            answer.status(),
            bodiless ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(answer.body()));
    addHeaders(response, answer.headers());
    int status = answer.status().code();
    if (status != 204 && status != 304) {
      response.headers().set(HttpHeaderNames.CONTENT_LENGTH, answer.body().length);
    }
    finish(response);
  }

  /** An answer without a request, and the last one of its connection. */
  static FullHttpResponse closing(Answer answer) {
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1, answer.status(), Unpooled.wrappedBuffer(answer.body()));
    answer.headers().forEach(response.headers()::set);
    response.headers().set(HttpHeaderNames.CONTENT_LENGTH, answer.body().length);
    response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    return response;
  }

  /** Begins an answer that comes in parts; false if there is an answer already. */
  boolean beginParts(Map<String, String> headers) {
    if (!begin()) {
      return false;
    }
    observer.accept(HttpResponseStatus.OK);
    HttpResponse response = new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
    if (isOld) {
      keepAlive = false; // the end of the connection is the end of the answer
    } else {
      HttpUtil.setTransferEncodingChunked(response, true);
    }
    addHeaders(response, headers);
    channel().writeAndFlush(response);
    return true;
  }

  /** Sends a part; takes over the buffer. */
  void part(ByteBuf bytes) {
    channel().writeAndFlush(new DefaultHttpContent(bytes));
  }

  /** Ends an answer that came in parts. */
  void endParts() {
    finish(LastHttpContent.EMPTY_LAST_CONTENT);
  }

  Channel channel() {
    return context.channel();
  }

  /** Makes writers wait for a client that reads slowly. */
  WriteGate gate() {
    return channel().pipeline().get(WriteGate.class);
  }

  private synchronized boolean begin() {
    boolean first = !begun;
    begun = true;
    return first;
  }

  private void addHeaders(HttpResponse response, Map<String, String> headers) {
    headers.forEach(response.headers()::set);
    response.headers().set("x-request-id", id);
    response.headers().set("x-content-type-options", "nosniff");
    corsOrigin.ifPresent(origin -> {
      response.headers().set(HttpHeaderNames.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
      response
          .headers()
          .set(HttpHeaderNames.ACCESS_CONTROL_EXPOSE_HEADERS, "x-request-id, retry-after");
      response.headers().set(HttpHeaderNames.VARY, HttpHeaderNames.ORIGIN);
    });
    if (!keepAlive) {
      response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    } else if (isOld) {
      response.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.KEEP_ALIVE);
    }
  }

  private void finish(Object last) {
    boolean close = !keepAlive;
    context
        .executor()
        .execute(() -> {
          progress.sending();
          channel()
              .writeAndFlush(last)
              .addListener(sent -> {
                if (sent.isSuccess()) {
                  progress.answered(close);
                }
              });
        });
  }
}
