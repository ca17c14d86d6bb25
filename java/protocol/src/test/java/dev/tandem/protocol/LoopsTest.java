package dev.tandem.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;

class LoopsTest {

  private static final int PATIENCE_MILLIS = 10_000;

  /** Sends back what it hears. */
  @ChannelHandler.Sharable
  private static final class Echo extends ChannelInboundHandlerAdapter {
    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      context.writeAndFlush(message);
    }
  }

  private static Loops loops(int threads) {
    return new Loops(threads, new DefaultThreadFactory("loops-test", true));
  }

  private static InetSocketAddress open(Loops loops) {
    Channel port =
        loops
            .server(new Echo())
            .bind(InetAddress.getLoopbackAddress(), 0)
            .syncUninterruptibly()
            .channel();
    return (InetSocketAddress) port.localAddress();
  }

  private static Socket connect(InetSocketAddress address) throws IOException {
    Socket socket = new Socket(address.getAddress(), address.getPort());
    socket.setTcpNoDelay(true);
    socket.setSoTimeout(PATIENCE_MILLIS);
    return socket;
  }

  private static void assertEchoes(Socket socket) throws IOException {
    socket.getOutputStream().write(1);
    assertEquals(1, socket.getInputStream().read());
  }

  /** Loops that have just worked end in all kinds of moments; no socket may be forgotten. */
  @Test
  void connectionsHaveEndedWhenLoopsHave() throws IOException {
    for (int i = 0; i < 500; i++) {
      Loops loops = loops(1 + i % 2);
      try (Socket socket = connect(open(loops))) {
        assertEchoes(socket);
        LockSupport.parkNanos(i % 10 * 10_000L);
        loops.close();
        assertEquals(-1, socket.getInputStream().read(), "round " + i);
      }
    }
  }

  @Test
  void manyMayEndThemAtTheSameTime() throws Exception {
    for (int i = 0; i < 200; i++) {
      Loops loops = loops(2);
      open(loops);
      CountDownLatch go = new CountDownLatch(1);
      List<CompletableFuture<Void>> ends = new ArrayList<>();
      for (int each = 0; each < 4; each++) {
        ends.add(
            CompletableFuture.runAsync(
                () -> {
                  try {
                    go.await();
                  } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                  }
                  loops.close();
                  assertTrue(loops.group().isTerminated());
                },
                task -> new Thread(task).start()));
      }
      go.countDown();
      for (CompletableFuture<Void> end : ends) {
        end.get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
      }
    }
  }

  @Test
  void theirOwnThreadsCannotEndThem() throws Exception {
    try (Loops loops = loops(2)) {
      ExecutionException refusal =
          assertThrows(
              ExecutionException.class,
              () -> loops.group().submit(loops::close).get(PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
      assertTrue(
          refusal.getCause().getMessage().contains("close it on another one"),
          () -> String.valueOf(refusal.getCause()));
      assertFalse(loops.group().isShuttingDown());
    }
  }

  @Test
  void portsAreFreeAfterwards() throws IOException {
    Loops loops = loops(2);
    InetSocketAddress address = open(loops);
    connect(address).close();
    loops.close();
    assertThrows(ConnectException.class, () -> connect(address));
    try (ServerSocket next = new ServerSocket()) {
      next.setReuseAddress(true);
      next.bind(address);
    }
  }

  @Test
  void whatConnectsIsClosedToo() throws IOException {
    try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
      Loops loops = loops(1);
      loops.client(new Echo()).connect(server.getLocalSocketAddress()).syncUninterruptibly();
      try (Socket accepted = server.accept()) {
        accepted.setSoTimeout(PATIENCE_MILLIS);
        loops.close();
        assertEquals(-1, accepted.getInputStream().read());
      }
    }
  }

  @Test
  void anInterruptedThreadClosesAllTheSame() throws IOException {
    Loops loops = loops(1);
    try (Socket socket = connect(open(loops))) {
      assertEchoes(socket);
      Thread.currentThread().interrupt();
      loops.close();
      assertTrue(Thread.interrupted(), "the interrupt is told on");
      assertEquals(-1, socket.getInputStream().read());
    }
  }

  /** Each returns when all has ended, and none fails because another was first. */
  @Test
  void twiceIsOnce() {
    Loops loops = loops(1);
    open(loops);
    loops.close();
    loops.close();
    assertTrue(loops.group().isTerminated());
  }
}
