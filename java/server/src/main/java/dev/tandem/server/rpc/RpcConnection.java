package dev.tandem.server.rpc;

import com.google.protobuf.MessageLite;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.LogLines;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.transport.FlushSoon;
import dev.tandem.server.transport.IdleTimeout;
import dev.tandem.server.transport.LingeringClose;
import dev.tandem.server.transport.WriteGate;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.util.concurrent.Future;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A connection after its handshake: gives each message to what answers it, and knows the requests
 * that have not ended. Messages are read on the event loop; {@link #send} and {@link #end} are for
 * any thread.
 */
final class RpcConnection extends SimpleChannelInboundHandler<ClientMessage> {

  private static final Logger log = LoggerFactory.getLogger(RpcConnection.class);

  // What is answered on the event loop cannot wait until the peer reads. If it leaves so many times
  // the high watermark unread, nothing of it is read any more either, until it reads.
  private static final int UNREAD_WATERMARKS = 4;

  /** A request that has not ended. */
  interface Call {
    /** Ends it as soon as possible. From the event loop. */
    void cancel();
  }

  private final RpcService service;
  private final WriteGate gate;
  private final FlushSoon out;
  private final Caller caller;
  private final Questions questions;
  private final Map<Long, Call> calls = new ConcurrentHashMap<>(); // only the event loop adds
  private Channel channel;
  private IdleTimeout idle;
  private boolean leaving;

  RpcConnection(RpcService service, WriteGate gate, FlushSoon out, Caller caller) {
    this.service = service;
    this.gate = gate;
    this.out = out;
    this.caller = caller;
    questions = new Questions(service);
  }

  /** What watches it; told when a request ends. */
  void idleAt(IdleTimeout timeout) {
    idle = timeout;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    channel = context.channel();
  }

  Desk desk() {
    return service.desk();
  }

  Caller caller() {
    return caller;
  }

  /** A name for a request, for logs: of this connection and of nobody else's. */
  String name(long requestId) {
    return channel.id().asShortText() + "-" + Long.toUnsignedString(requestId);
  }

  boolean isBusy() {
    return !calls.isEmpty();
  }

  /**
   * Waits until the peer has read enough of what it was sent. Not for the event loop.
   *
   * @throws Refusal if it does not, or has gone
   */
  void awaitReader() {
    gate.await();
  }

  void send(ServerMessage message) {
    out.send(message);
  }

  /** Sends a request's last message: its id is free from then on. */
  void end(long requestId, ServerMessage message) {
    calls.remove(requestId);
    idle.touch();
    send(message);
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, ClientMessage message) {
    if (leaving) {
      return;
    }
    long id = message.getRequestId();
    switch (message.getBodyCase()) {
      case CANCEL -> {
        Call call = calls.get(id);
        if (call != null) {
          call.cancel();
        }
      }
      case HELLO -> leave(ErrorCode.UNSUPPORTED, "Hello comes once, at the beginning");
      case BODY_NOT_SET -> unknown(id);
      case GENERATE -> {
        if (mayBegin(id)) {
          GenerateCall call = new GenerateCall(this, id);
          calls.put(id, call);
          call.begin(message.getGenerate());
        }
      }
      case TOKENIZE, DETOKENIZE, APPLY_TEMPLATE -> {
        if (mayBegin(id)) {
          answer(id, message);
        }
      }
      case MODEL_INFO, HEALTH, STATS, PING -> {
        if (mayBegin(id)) {
          send(answered(id, message));
        }
      }
    }
    long unread = channel.bytesBeforeWritable();
    if (unread > (long) UNREAD_WATERMARKS * service.options().highWatermarkBytes()) {
      channel.config().setAutoRead(false);
    }
  }

  private void unknown(long id) {
    String message = "a body that this server does not know (its protocol is older?)";
    if (id == 0) {
      leave(ErrorCode.UNSUPPORTED, message);
    } else if (mayBegin(id)) {
      send(Wire.error(id, ErrorCode.UNSUPPORTED, message));
    }
  }

  /** Whether a request may have this id; if not, that has been said. */
  private boolean mayBegin(long id) {
    if (id == 0) {
      leave(
          ErrorCode.INVALID_ARGUMENT,
          "request_id 0 is the connection itself: a request needs another one");
      return false;
    }
    if (calls.containsKey(id)) { // an answer would be taken for that of the other one
      leave(
          ErrorCode.INVALID_ARGUMENT,
          "request_id %s belongs to a request that has not ended"
              .formatted(Long.toUnsignedString(id)));
      return false;
    }
    int most = service.options().requestsPerConnection();
    if (calls.size() >= most) {
      send(
          Wire.error(
              id,
              Refusal.of(
                      Problem.LIMIT_EXCEEDED,
                      "%d requests of this connection have not ended, which is all that it may have"
                          .formatted(most))
                  .retryAfter(desk().limits().retryAfter())));
      return false;
    }
    return true;
  }

  /** At once, or if that takes long, on a thread of its own. */
  private void answer(long id, ClientMessage message) {
    if (!Questions.takesLong(message)) {
      send(answered(id, message));
      return;
    }
    calls.put(id, () -> {}); // it ends soon, and by itself
    try {
      Share share = share(message);
      start(id, () -> answerToReader(id, message, share));
    } catch (Refusal e) {
      end(id, Wire.error(id, e));
    }
  }

  /** What the request took for itself, its answer has until the peer has read it. */
  private void answerToReader(long id, ClientMessage message, Share share) {
    try {
      ServerMessage answer = answered(id, message);
      share.growTo(answer.getSerializedSize());
      awaitReader();
      calls.remove(id);
      idle.touch();
      giveUpUnread(out.send(answer).addListener(written -> share.close()));
    } catch (Refusal e) {
      share.close();
      end(id, Wire.error(id, e));
    } catch (RejectedExecutionException e) {
      share.close(); // the server has ended, and all connections
    }
  }

  /** A peer that leaves a long answer unread has it at the expense of all others. */
  private void giveUpUnread(ChannelFuture answer) {
    Duration patience = service.options().slowReaderTimeout();
    Future<?> timer =
        channel
            .eventLoop()
            .schedule(
                () -> {
                  log.info("connection {}: an answer was not read in time", channel.id());
                  channel.close();
                },
                patience.toNanos(),
                TimeUnit.NANOSECONDS);
    answer.addListener(written -> timer.cancel(false));
  }

  /**
   * Has done on a thread of its own what takes long. Until that has ended the request stays in
   * memory: it counts with those of all connections.
   *
   * @throws Refusal if there is no room for it now
   */
  void apart(long id, MessageLite request, Runnable action) {
    Share share = share(request);
    start(
        id,
        () -> {
          try (share) {
            action.run();
          }
        });
  }

  private void start(long id, Runnable action) {
    Thread.ofVirtual().name("request " + name(id)).start(action);
  }

  private Share share(MessageLite request) {
    Share share = new Share();
    share.growTo(request.getSerializedSize());
    return share;
  }

  /** What one request, or its answer, has of the room for those of all connections. */
  private final class Share implements AutoCloseable {
    private int bytes; // guarded by this

    /**
     * Takes more, if it has less.
     *
     * @throws Refusal if there is no room for it now
     */
    synchronized void growTo(int size) {
      int more = Math.max(0, size - bytes);
      if (!service.room().tryAcquire(more)) {
        throw Refusal.of(
                Problem.OVERLOADED,
                "other long requests and their answers take all %d bytes that this server has for them"
                    .formatted(service.options().longRequestBytes()))
            .retryAfter(desk().limits().retryAfter());
      }
      bytes += more;
    }

    @Override
    public synchronized void close() {
      service.room().release(bytes);
      bytes = 0;
    }
  }

  private ServerMessage answered(long id, ClientMessage message) {
    try {
      ServerMessage answer = questions.answer(message);
      int most = service.options().maxFrameBytes();
      if (answer.getSerializedSize() > most) {
        throw Refusal.of(
            Problem.LIMIT_EXCEEDED,
            "the answer has %d bytes, and a message at most %d: ask for it in parts"
                .formatted(answer.getSerializedSize(), most));
      }
      return answer;
    } catch (Refusal e) {
      return Wire.error(id, e);
    } catch (Throwable e) { // errors too: nobody shall wait for ever
      return Wire.error(id, defect(id, e));
    }
  }

  /** Tells the log of a defect, and returns what the peer is told. */
  Refusal defect(long id, Throwable defect) {
    LogLines.about(name(id), caller, () -> log.error("the request failed", defect));
    return Refusal.of(
        Problem.INTERNAL,
        "the request failed; the server's log tells why (request %s)".formatted(name(id)));
  }

  /** Gives up the connection, and all that it asked for. */
  private void leave(ErrorCode code, String message) {
    leaving = true;
    log.info("connection {}: {}, {}", channel.id(), code, message);
    LingeringClose.after(channel, Wire.error(0, code, message));
    cancelAll();
  }

  private void cancelAll() {
    calls.values().forEach(Call::cancel);
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (event == IdleTimeout.IDLE && !leaving) {
      leaving = true;
      Duration timeout = service.options().idleTimeout();
      LingeringClose.after(
          channel, Wire.goAway("idle for %d ms".formatted(timeout.toMillis()), Duration.ZERO));
    }
    context.fireUserEventTriggered(event);
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    if (channel.isWritable()) {
      channel.config().setAutoRead(true);
    }
    context.fireChannelWritabilityChanged();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    leaving = true;
    cancelAll();
    context.fireChannelInactive();
  }
}
