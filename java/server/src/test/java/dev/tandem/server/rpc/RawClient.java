package dev.tandem.server.rpc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.tandem.protocol.v1.CancelRequest;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.Error;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Hello;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Welcome;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.util.Optional;

/** A client by plain sockets, which can misbehave. Waits at most 20 s for anything. */
final class RawClient implements AutoCloseable {

  private static final int TIMEOUT_MILLIS = 20_000;

  private final Socket socket;
  private DataInputStream in;
  private volatile long sent; // one thread writes

  RawClient(InetSocketAddress address) {
    this(address, 0);
  }

  /**
   * @param receiveBuffer bytes that the system takes for it unread; 0 = as usual
   */
  RawClient(InetSocketAddress address, int receiveBuffer) {
    this(new Socket(), address, receiveBuffer);
  }

  /**
   * @param unconnected of any kind
   */
  RawClient(Socket unconnected, InetSocketAddress address, int receiveBuffer) {
    socket = unconnected;
    try {
      if (receiveBuffer > 0) {
        socket.setReceiveBufferSize(receiveBuffer);
      }
      socket.setTcpNoDelay(true);
      socket.setSoTimeout(TIMEOUT_MILLIS);
      socket.connect(address, TIMEOUT_MILLIS);
      in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Bytes that have come and were not read. */
  long unread() {
    try {
      return in.available();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Bytes that the system has taken. */
  long sent() {
    return sent;
  }

  void bytes(byte... bytes) {
    try {
      socket.getOutputStream().write(bytes);
      sent += bytes.length;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static byte[] frame(byte[] message) {
    return ByteBuffer.allocate(4 + message.length).putInt(message.length).put(message).array();
  }

  void send(ClientMessage message) {
    bytes(frame(message.toByteArray()));
  }

  void send(long id, ClientMessage.Builder message) {
    send(message.setRequestId(id).build());
  }

  void hello() {
    hello(1, "");
  }

  void hello(int version, String token) {
    send(
        0,
        ClientMessage.newBuilder()
            .setHello(
                Hello.newBuilder()
                    .setProtocolVersion(version)
                    .setToken(token)
                    .setClientName("raw")));
  }

  void generate(long id, GenerateRequest.Builder request) {
    send(id, ClientMessage.newBuilder().setGenerate(request));
  }

  void cancel(long id) {
    send(id, ClientMessage.newBuilder().setCancel(CancelRequest.getDefaultInstance()));
  }

  /** The next message; empty at the connection's end. */
  Optional<ServerMessage> next() {
    try {
      byte[] message = new byte[in.readInt()];
      in.readFully(message);
      return Optional.of(ServerMessage.parseFrom(message));
    } catch (EOFException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** One byte, or -1 at the connection's end. */
  int read() {
    try {
      return in.read();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  ServerMessage receive() {
    return next().orElseThrow(() -> new AssertionError("the server closed the connection"));
  }

  /** The next message that is about this request. */
  ServerMessage receive(long id) {
    ServerMessage message = receive();
    while (message.getRequestId() != id) {
      message = receive();
    }
    return message;
  }

  Welcome expectWelcome() {
    ServerMessage message = receive();
    assertTrue(message.hasWelcome(), message::toString);
    return message.getWelcome();
  }

  /** Skips what a request says before it, and checks that it fails so. */
  Error expectError(long id, ErrorCode code) {
    ServerMessage message = receive(id);
    while (message.hasToken() || message.hasStarted()) {
      message = receive(id);
    }
    assertTrue(message.hasError(), message::toString);
    assertEquals(code, message.getError().getCode(), message::toString);
    return message.getError();
  }

  /** The connection fails so, and ends. */
  Error expectEnd(ErrorCode code) {
    Error error = expectError(0, code);
    assertEquals(Optional.empty(), next());
    return error;
  }

  /** Reads a generation to its end. */
  Finished finished(long id, StringBuilder text) {
    ServerMessage message = receive(id);
    while (!message.hasFinished()) {
      assertTrue(message.hasStarted() || message.hasToken(), message::toString);
      text.append(message.getToken().getText());
      message = receive(id);
    }
    text.append(message.getFinished().getText());
    return message.getFinished();
  }

  Finished finished(long id) {
    return finished(id, new StringBuilder());
  }

  /** The server is well, and so is the connection. */
  void expectPong() {
    send(Long.MAX_VALUE, ClientMessage.newBuilder().setPing(Ping.getDefaultInstance()));
    assertTrue(receive(Long.MAX_VALUE).hasPong());
  }

  /** Says that nothing more comes; still reads. */
  void shutdownOutput() {
    try {
      socket.shutdownOutput();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Ends the connection like a client that is killed: by a reset. */
  void kill() {
    try {
      socket.setSoLinger(true, 0);
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
