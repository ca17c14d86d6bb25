package dev.tandem.cli;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.protocol.Loops;
import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskLimits;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.EngineBackend;
import dev.tandem.server.request.ModelCard;
import dev.tandem.server.rpc.RpcInitializer;
import dev.tandem.server.rpc.RpcOptions;
import dev.tandem.server.security.Authenticator;
import io.netty.channel.Channel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** A server of a model, in this process. */
final class RemoteModel implements AutoCloseable {

  private final Loops loops = new Loops(1, new DefaultThreadFactory("remote-model", true));
  private final Desk desk =
      new Desk(new DeskLimits(4, 16, 1 << 20, Duration.ofMillis(1500)), new DeskObserver() {});
  private final Channel listener;

  private RemoteModel(Authenticator authenticator) {
    listener =
        loops
            .server(
                new RpcInitializer(
                    desk, RpcOptions.defaults(), authenticator, Optional.empty(), "test"))
            .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
            .syncUninterruptibly()
            .channel();
  }

  /** Whose model is being loaded, for ever. */
  static RemoteModel loading(Authenticator authenticator) {
    return new RemoteModel(authenticator);
  }

  static RemoteModel of(Path file) {
    RemoteModel server = new RemoteModel(Authenticator.open());
    TandemModel model = TandemModel.open(file, EngineOptions.ofThisMachine());
    ModelCard card =
        new ModelCard(
            model.model().name(),
            "llama",
            "Q4_0",
            model.model().graph().parameters(),
            model.engine().kvTokens(),
            model.model().graph().hyperparameters().vocabulary(),
            false,
            "cpu, 1 thread, test",
            SamplingOptions.greedy(),
            0);
    server.desk.open(new EngineBackend(model, card));
    return server;
  }

  /** Wants this token. */
  static Authenticator knowing(String token) {
    return new Authenticator() {
      @Override
      public boolean needsToken() {
        return true;
      }

      @Override
      public Optional<Caller> caller(String told) {
        return told.equals(token) ? Optional.of(Caller.ANYBODY) : Optional.empty();
      }
    };
  }

  /** For {@code --connect}. */
  String address() {
    return "localhost:" + ((InetSocketAddress) listener.localAddress()).getPort();
  }

  @Override
  public void close() {
    loops.close();
    desk.close();
  }
}
