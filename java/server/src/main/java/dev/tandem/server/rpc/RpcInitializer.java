package dev.tandem.server.rpc;

import dev.tandem.protocol.Frames;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.server.request.Desk;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.Tls;
import dev.tandem.server.transport.ConnectionLimit;
import dev.tandem.server.transport.FlushSoon;
import dev.tandem.server.transport.LingeringClose;
import dev.tandem.server.transport.WriteGate;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/** Puts together the handlers of each connection of the binary protocol's port. */
public final class RpcInitializer extends ChannelInitializer<SocketChannel> {

  private final RpcService service;
  private final Optional<Tls> tls;
  private final Consumer<Channel> opened;

  /** For as many connections as come. */
  public RpcInitializer(
      Desk desk,
      RpcOptions options,
      Authenticator authenticator,
      Optional<Tls> tls,
      String serverName) {
    this(
        desk,
        options,
        authenticator,
        tls,
        serverName,
        new ConnectionLimit(Integer.MAX_VALUE),
        channel -> {});
  }

  /**
   * When the desk begins to drain, its clients hear GoAway.
   *
   * @param serverName for the client's log
   * @param connections what this port may share with others
   * @param opened hears of each connection that may stay
   */
  public RpcInitializer(
      Desk desk,
      RpcOptions options,
      Authenticator authenticator,
      Optional<Tls> tls,
      String serverName,
      ConnectionLimit connections,
      Consumer<Channel> opened) {
    this.opened = opened;
    ChannelGroup greeted = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE, true);
    Semaphore room = new Semaphore(options.longRequestBytes());
    this.service =
        new RpcService(desk, options, authenticator, serverName, connections, room, greeted);
    this.tls = tls;
    Duration retryAfter = desk.limits().retryAfter();
    desk.atDrain(() -> greeted.writeAndFlush(Wire.goAway("the server is ending", retryAfter)));
  }

  /** Bytes that long requests, and their answers, may still have. */
  int roomForLongRequests() {
    return service.room().availablePermits();
  }

  @Override
  protected void initChannel(SocketChannel channel) {
    RpcOptions options = service.options();
    channel.config().setTcpNoDelay(true);
    ChannelPipeline pipeline = channel.pipeline();
    if (!service.connections().admit(channel)) {
      refuse(channel);
      return;
    }
    opened.accept(channel);
    channel
        .config()
        .setWriteBufferWaterMark(
            new WriteBufferWaterMark(options.lowWatermarkBytes(), options.highWatermarkBytes()));
    channel.config().setMessageSizeEstimator(FrameSize.ESTIMATOR);
    tls.ifPresent(end -> pipeline.addLast(end.newHandler(channel.alloc())));
    WriteGate gate = new WriteGate(options.slowReaderTimeout());
    FrameLimit limit = new FrameLimit(service);
    pipeline.addLast(new HelloLimit(), limit);
    Frames.addTo(pipeline, options.maxFrameBytes(), ClientMessage.getDefaultInstance());
    FlushSoon out = new FlushSoon();
    pipeline.addLast(limit.end(), gate, out, new Handshake(service, gate, out), new Mishaps());
  }

  /** Says why; with TLS there are no words before a handshake, which is what it cannot afford. */
  private void refuse(SocketChannel channel) {
    if (tls.isPresent() || !service.connections().mayTell(channel)) {
      channel.close();
      return;
    }
    Frames.addTo(
        channel.pipeline(), service.options().maxFrameBytes(), ClientMessage.getDefaultInstance());
    String message =
        "%d connections are open, which is all that this server takes (--connections)"
            .formatted(service.connections().most());
    LingeringClose.after(
        channel,
        Wire.error(ErrorCode.LIMIT_EXCEEDED, message, true, service.desk().limits().retryAfter()));
  }
}
