package dev.tandem.cli.load;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/**
 * One HTTP/1.1 connection that is kept: as little as a client can be, so that what is measured is
 * the server. Knows answers with a length and in chunks, line by line.
 */
final class HttpConnection implements AutoCloseable {

  private static final int UNTIL_CLOSED = -1;
  private static final int LONGEST_LINE = 16 << 20;
  private static final int LONGEST_HEAD = 1 << 16;
  private static final int LONGEST_REST = 1 << 16;

  private final Socket socket;
  private final InputStream in;
  private final OutputStream out;
  private final String host;
  private final Optional<String> token;

  // The answer that is being read.
  private int status;
  private boolean chunked;
  private boolean kept;
  private long left; // bytes of the body, or of the chunk
  private int headLeft; // bytes that its head may still have
  private boolean ended;
  private boolean answered;
  private byte[] line = new byte[1024];

  HttpConnection(URI server, Optional<String> token, Duration timeout) throws IOException {
    socket = new Socket();
    int port = server.getPort() < 0 ? 80 : server.getPort();
    socket.connect(
        new InetSocketAddress(server.getHost(), port), Math.toIntExact(timeout.toMillis()));
    socket.setSoTimeout(Math.toIntExact(timeout.toMillis()));
    socket.setTcpNoDelay(true);
    in = new BufferedInputStream(socket.getInputStream(), 1 << 14);
    out = socket.getOutputStream();
    host = server.getHost() + ":" + port;
    this.token = token;
  }

  /** Sends a request and reads the head of its answer. Returns the status. */
  int send(String method, String path, String body) throws IOException {
    byte[] content = body.getBytes(StandardCharsets.UTF_8);
    StringBuilder head = new StringBuilder();
    head.append(method).append(' ').append(path).append(" HTTP/1.1\r\nHost: ").append(host);
    token.ifPresent(secret -> head.append("\r\nAuthorization: Bearer ").append(secret));
    head.append("\r\nContent-Type: application/json\r\nContent-Length: ").append(content.length);
    head.append("\r\n\r\n");
    byte[] first = head.toString().getBytes(StandardCharsets.US_ASCII);
    byte[] all = Arrays.copyOf(first, first.length + content.length);
    System.arraycopy(content, 0, all, first.length, content.length);
    answered = false;
    out.write(all);
    headLeft = LONGEST_HEAD;
    do {
      readHead();
    } while (status / 100 == 1); // word that the answer is still to come
    return status;
  }

  /** Whether anything came for the request sent last. */
  boolean hasAnswered() {
    return answered;
  }

  private void readHead() throws IOException {
    String first = rawLine();
    if (!first.startsWith("HTTP/1.1 ") || first.length() < 12) {
      throw strange(first);
    }
    status = (int) number(first.substring(9, 12), 10, first);
    chunked = false;
    kept = true;
    ended = false;
    left = UNTIL_CLOSED;
    for (String header = rawLine(); !header.isEmpty(); header = rawLine()) {
      String lower = header.toLowerCase(Locale.ROOT);
      if (lower.startsWith("transfer-encoding:")) {
        chunked = lower.contains("chunked");
        left = 0;
      } else if (lower.startsWith("content-length:")) {
        left = number(lower.substring(15).strip(), 10, header);
        ended = left == 0;
      } else if (lower.startsWith("connection:")) {
        kept = !lower.contains("close");
      }
    }
  }

  private static long number(String text, int radix, String line) throws IOException {
    try {
      long number = Long.parseLong(text, radix);
      if (number >= 0) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw strange(line);
  }

  private static IOException strange(String line) {
    return new IOException("the server answered no HTTP/1.1: " + line);
  }

  /** The next line of the body, without its end; empty behind the last. */
  Optional<String> line() throws IOException {
    int length = 0;
    for (int next = read(); ; next = read()) {
      if (next < 0) {
        return length == 0 ? Optional.empty() : Optional.of(text(length));
      }
      if (next == '\n') {
        return Optional.of(text(length));
      }
      if (next != '\r') {
        if (length == line.length) {
          if (length >= LONGEST_LINE) {
            throw new IOException("the answer has a line of more than 16 MiB");
          }
          line = Arrays.copyOf(line, 2 * length);
        }
        line[length++] = (byte) next;
      }
    }
  }

  private String text(int length) {
    return new String(line, 0, length, StandardCharsets.UTF_8);
  }

  /** What is left of the body, up to 64 KiB. Where there is more, the connection is used up. */
  String rest() throws IOException {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    for (int next = read(); next >= 0; next = read()) {
      text.write(next);
      if (text.size() == LONGEST_REST) {
        break;
      }
    }
    return text.toString(StandardCharsets.UTF_8);
  }

  /** Whether the answer has been read to its end, and the server keeps the connection. */
  boolean canBeKept() {
    return ended && kept;
  }

  /** The next byte of the body; -1 behind the last. */
  private int read() throws IOException {
    if (ended) {
      return -1;
    }
    if (chunked && left == 0) {
      headLeft = LONGEST_HEAD;
      String size = rawLine();
      left = number(size.split(";", 2)[0].strip(), 16, size);
      if (left == 0) {
        while (!rawLine().isEmpty()) {} // trailers
        ended = true;
        return -1;
      }
    }
    int next = in.read();
    if (next < 0) {
      if (left == UNTIL_CLOSED) {
        ended = true;
        kept = false;
        return -1;
      }
      throw new EOFException("the server closed the connection in the middle of an answer");
    }
    if (left != UNTIL_CLOSED && --left == 0) {
      if (chunked) {
        rawLine();
      } else {
        ended = true;
      }
    }
    return next;
  }

  private String rawLine() throws IOException {
    StringBuilder text = new StringBuilder();
    for (int next = in.read(); next != '\n'; next = in.read()) {
      if (next < 0) {
        throw new EOFException("the server closed the connection");
      }
      answered = true;
      if (next != '\r') {
        text.append((char) next);
      }
      if (--headLeft < 0) {
        throw new IOException("the server sent a header of more than 64 KiB");
      }
    }
    return text.toString();
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      // It is gone either way.
    }
  }
}
