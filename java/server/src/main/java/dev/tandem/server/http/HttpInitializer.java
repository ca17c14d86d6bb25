package dev.tandem.server.http;

import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.Tls;
import dev.tandem.server.transport.ConnectionLimit;
import dev.tandem.server.transport.LingeringClose;
import dev.tandem.server.transport.WriteGate;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.flush.FlushConsolidationHandler;
import java.util.Optional;

/** Makes the pipeline of a connection of the HTTP port. */
public final class HttpInitializer extends ChannelInitializer<SocketChannel> {

  // Tokens come one by one; while the event loop is busy, several go out in one system call.
  private static final int MOST_FLUSHES_JOINED = 64;

  private final Desk desk;
  private final HttpOptions options;
  private final Optional<Tls> tls;
  private final Metrics metrics;
  private final RequestIntake intake;
  private final Dispatcher dispatcher;
  private final ConnectionLimit connections;

  /**
   * @param tls how the wire is kept private; empty = it is not
   * @param connections counts those of other ports as well
   */
  public HttpInitializer(
      Desk desk,
      HttpOptions options,
      Authenticator authenticator,
      Optional<Tls> tls,
      Metrics metrics,
      ConnectionLimit connections) {
    this.connections = connections;
    this.desk = desk;
    this.options = options;
    this.tls = tls;
    this.metrics = metrics;
    intake = new RequestIntake(options, new Gatekeeper(options, authenticator), metrics);
    dispatcher = new Dispatcher(desk, new Router(desk, options, metrics), metrics);
  }

  @Override
  protected void initChannel(SocketChannel channel) {
    if (!connections.admit(channel)) {
      refuse(channel);
      return;
    }
    metrics.connectionOpened("http");
    ChannelFuture closed = channel.closeFuture();
    closed.addListener(done -> metrics.connectionClosed("http"));
    ConnectionClock clock = new ConnectionClock(options);
    ChannelPipeline pipeline = channel.pipeline();
    tls.ifPresent(layer -> pipeline.addLast(layer.newHandler(channel.alloc())));
    pipeline.addLast(new FlushConsolidationHandler(MOST_FLUSHES_JOINED, true));
    pipeline.addLast(clock);
    pipeline.addLast(new StrictRequestDecoder(options.sizes().header()));
    pipeline.addLast(new HttpResponseEncoder());
    pipeline.addLast(new WriteGate(options.times().slowReader()));
    pipeline.addLast(new RequestCollector(intake, clock));
    pipeline.addLast(dispatcher);
  }

  /** Says why, where that can be read; behind TLS it would take a handshake first. */
  private void refuse(SocketChannel channel) {
    if (tls.isPresent() || !connections.mayTell(channel)) {
      channel.close();
      return;
    }
    HttpFailure failure =
        HttpFailure.of(
            Refusal.of(
                    Problem.LIMIT_EXCEEDED,
                    "%d connections are open, which is all that this server takes (--connections)"
                        .formatted(connections.most()))
                .retryAfter(desk.limits().retryAfter()));
    channel.pipeline().addLast(new HttpResponseEncoder());
    LingeringClose.after(channel, Exchange.closing(Answer.of(failure)));
  }
}
