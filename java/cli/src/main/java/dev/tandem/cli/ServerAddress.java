package dev.tandem.cli;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Where a server speaks the binary protocol. */
record ServerAddress(String host, int port) {

  /** {@code host:port}, {@code [2001:db8::1]:port}. */
  private static final Pattern ADDRESS =
      Pattern.compile("(?:\\[([0-9a-fA-F:.]+)]|([^\\s:\\[\\]]+)):(\\d{1,5})");

  /** What {@code --connect} names. */
  static ServerAddress parse(String text) {
    Matcher parts = ADDRESS.matcher(text);
    int port = parts.matches() ? Integer.parseInt(parts.group(3)) : 0;
    if (port < 1 || port >= 1 << 16) {
      throw Failure.value(
          "--connect",
          "'" + Printable.line(text, 60) + "'",
          "a host, a colon, and a port from 1 to 65535: localhost:8077");
    }
    return new ServerAddress(parts.group(1) == null ? parts.group(2) : parts.group(1), port);
  }
}
