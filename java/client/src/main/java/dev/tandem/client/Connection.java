package dev.tandem.client;

import dev.tandem.protocol.MalformedFrameException;
import dev.tandem.protocol.MessageTooLongException;
import dev.tandem.protocol.v1.CancelRequest;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.timeout.IdleStateEvent;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/**
 * A connection behind its greeting: sends requests, and brings each answer to the request it is
 * for. All methods are for the client's own thread.
 */
final class Connection extends SimpleChannelInboundHandler<ServerMessage> {

  private static final long UNREAD_MILLIS = 100;

  private final Channel channel;
  private final ClientOptions options;
  private final Welcome welcome;
  private final Consumer<Connection> changed;
  private final Map<Long, Call> calls = new HashMap<>();
  private long lastId;
  private long probe;
  private int pauses;
  private boolean leaving;
  private boolean closed;

  /**
   * Takes a channel over, at the end of whose pipeline it then is.
   *
   * @param changed is called when it takes no more requests
   */
  Connection(
      Channel channel, ClientOptions options, Welcome welcome, Consumer<Connection> changed) {
    super(ServerMessage.class);
    this.channel = channel;
    this.options = options;
    this.welcome = welcome;
    this.changed = changed;
  }

  /** Whether it takes requests. */
  boolean isUsable() {
    return !closed && !leaving;
  }

  /** Whether it is still there. */
  boolean isOpen() {
    return !closed;
  }

  /** Requests under way. */
  int load() {
    return calls.size();
  }

  /** The most requests that the server takes at a time. */
  int most() {
    int most = welcome.getLimits().getMaxRequestsPerConnection();
    return most <= 0 ? Integer.MAX_VALUE : most;
  }

  /** Sends a request. */
  void send(Call call) {
    long id = ++lastId;
    ClientMessage message = call.sent(this, id);
    calls.put(id, call);
    int bytes = message.getSerializedSize();
    int most = welcome.getLimits().getMaxFrameBytes();
    if (most > 0 && bytes > most) {
      call.fail(
          TandemException.lasting(
              ErrorCode.INVALID_ARGUMENT,
              "a request of %d bytes: %s takes at most %d"
                  .formatted(bytes, options.address(), most)));
      return;
    }
    channel
        .writeAndFlush(message)
        .addListener(written -> {
          if (written.cause() instanceof MessageTooLongException e) {
            call.fail(TandemException.lasting(ErrorCode.INVALID_ARGUMENT, e.getMessage()));
          } else if (!written.isSuccess()) {
            call.fail(lost("it could not be written to").because(written.cause()));
          }
        });
  }

  /** Tells the server that a request is to end. */
  void sendCancel(long id) {
    if (calls.containsKey(id) && !closed) {
      channel.writeAndFlush(
          ClientMessage.newBuilder()
              .setRequestId(id)
              .setCancel(CancelRequest.getDefaultInstance())
              .build());
    }
  }

  /** A request has ended here. What still comes for it is nobody's. */
  void forget(long id) {
    calls.remove(id);
    if (leaving && calls.isEmpty()) {
      channel.close();
    }
  }

  /** A consumer does not keep up: nothing is read for now. */
  void pause() {
    if (pauses++ == 0) {
      channel.config().setAutoRead(false);
    }
  }

  /** Whether nothing is read from it, by our own doing. */
  boolean isPaused() {
    return pauses > 0;
  }

  /** It does again. */
  void resume() {
    if (--pauses == 0) {
      probe = 0; // silence was our own doing
      channel.config().setAutoRead(true);
    }
  }

  /** Ends it, and all that is under way. */
  void close(TandemException reason) {
    if (closed) {
      return;
    }
    closed = true;
    channel.close();
    new ArrayList<>(calls.values()).forEach(call -> call.fail(reason));
    calls.clear();
    changed.accept(this);
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, ServerMessage message) {
    probe = 0;
    long id = message.getRequestId();
    if (id == 0) {
      ofTheConnection(message);
      return;
    }
    Call call = calls.get(id);
    if (call == null) {
      if (Long.compareUnsigned(id, lastId) > 0) {
        close(garbage("an answer to request " + Long.toUnsignedString(id) + ", which is none"));
      }
      return; // for one that was given up
    }
    try {
      call.receive(message);
    } catch (TandemException e) {
      close(e);
    }
  }

  private void ofTheConnection(ServerMessage message) {
    switch (message.getBodyCase()) {
      case ERROR -> close(TandemException.of(message.getError()));
      case GO_AWAY -> leave();
      default -> {} // something that a newer server tells beside
    }
  }

  /** Takes no more requests, and ends with the last of those that it has. */
  private void leave() {
    leaving = true;
    changed.accept(this);
    if (calls.isEmpty()) {
      channel.close();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    close(lost("the server closed it"));
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    close(
        cause instanceof MalformedFrameException
            ? garbage(cause.getMessage()).because(cause)
            : lost(String.valueOf(cause.getMessage())).because(cause));
  }

  /** Nothing was read for as long as an answer may take. */
  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (!(event instanceof IdleStateEvent) || pauses > 0) {
      return;
    }
    if (calls.isEmpty()) {
      leave(); // before the server does, perhaps just when the next request is sent
    } else if (probe != 0) {
      // A process that was stopped meanwhile may have the answer, unread.
      long unanswered = probe;
      context.executor().schedule(() -> verdict(unanswered), UNREAD_MILLIS, TimeUnit.MILLISECONDS);
    } else {
      probe = ++lastId;
      channel.writeAndFlush(
          ClientMessage.newBuilder()
              .setRequestId(probe)
              .setPing(Ping.getDefaultInstance())
              .build());
    }
  }

  private void verdict(long unanswered) {
    if (probe == unanswered) {
      close(lost("it gives no sign of life"));
    }
  }

  private TandemException lost(String how) {
    return TandemException.passing(
        ErrorCode.UNAVAILABLE,
        "the connection to %s is lost: %s".formatted(options.address(), how));
  }

  private TandemException garbage(String what) {
    return TandemException.lasting(
        ErrorCode.MALFORMED,
        "%s does not keep to the protocol: %s".formatted(options.address(), what));
  }
}
