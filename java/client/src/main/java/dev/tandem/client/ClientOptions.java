package dev.tandem.client;

import dev.tandem.protocol.Frames;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/** Which server, and how to treat it. A value: made by {@link #to} and the builder behind it. */
public final class ClientOptions {

  /** As good as for ever, and its nanoseconds fit into a long. */
  private static final Duration LONGEST = Duration.ofDays(365);

  private final Builder values;

  private ClientOptions(Builder values) {
    this.values = values.copy();
  }

  /**
   * Begins with a server, without TLS and token, and with usual limits.
   *
   * @param host name or address
   * @param port of the binary protocol
   */
  public static Builder to(String host, int port) {
    require(!host.isBlank(), "host", "'" + host + "'", "a name or an address");
    require(port > 0 && port < 1 << 16, "port", port, "from 1 to 65535");
    return new Builder(host, port);
  }

  /** Name or address of the server. */
  public String host() {
    return values.host;
  }

  /** Its port of the binary protocol. */
  public int port() {
    return values.port;
  }

  /** For messages: {@code host:port}. */
  public String address() {
    return (host().contains(":") ? "[" + host() + "]" : host()) + ":" + port();
  }

  Optional<ClientTls> tls() {
    return values.tls;
  }

  String token() {
    return values.token;
  }

  String clientName() {
    return values.clientName;
  }

  int connections() {
    return values.connections;
  }

  Duration connectTimeout() {
    return values.connectTimeout;
  }

  Duration reconnectFor() {
    return values.reconnectFor;
  }

  Backoff backoff() {
    return values.backoff;
  }

  Duration answerTimeout() {
    return values.answerTimeout;
  }

  int bufferedEvents() {
    return values.bufferedEvents;
  }

  int maxFrameBytes() {
    return values.maxFrameBytes;
  }

  /** Without the token. */
  @Override
  public String toString() {
    return address() + (tls().isPresent() ? " with TLS" : "");
  }

  private static void require(boolean holds, String name, Object value, String allowed) {
    if (!holds) {
      throw new IllegalArgumentException("%s %s: %s".formatted(name, value, allowed));
    }
  }

  private static Duration positive(String name, Duration value) {
    require(!value.isNegative() && !value.isZero(), name, value, "above 0");
    return limited(value);
  }

  /** As far as the clock goes. */
  static Duration limited(Duration value) {
    return value.compareTo(LONGEST) < 0 ? value : LONGEST;
  }

  /** Collects options. */
  public static final class Builder {
    private final String host;
    private final int port;
    private Optional<ClientTls> tls = Optional.empty();
    private String token = "";
    private String clientName = "tandem-client";
    private int connections = 4;
    private Duration connectTimeout = Duration.ofSeconds(10);
    private Duration reconnectFor = Duration.ofSeconds(10);
    private Backoff backoff = Backoff.defaults();
    private Duration answerTimeout = Duration.ofSeconds(30);
    private int bufferedEvents = 256;
    private int maxFrameBytes = 4 * Frames.DEFAULT_MAX_BYTES;

    private Builder(String host, int port) {
      this.host = host;
      this.port = port;
    }

    private Builder copy() {
      return new Builder(host, port)
          .withTls(tls)
          .token(token)
          .clientName(clientName)
          .connections(connections)
          .connectTimeout(connectTimeout)
          .reconnectFor(reconnectFor)
          .backoff(backoff)
          .answerTimeout(answerTimeout)
          .bufferedEvents(bufferedEvents)
          .maxFrameBytes(maxFrameBytes);
    }

    private Builder withTls(Optional<ClientTls> value) {
      tls = value;
      return this;
    }

    /** Talk by TLS, and trust these. */
    public Builder tls(ClientTls value) {
      return withTls(Optional.of(value));
    }

    /** What the server knows this client by; never printed. */
    public Builder token(String value) {
      token = Objects.requireNonNull(value, "token");
      return this;
    }

    /** For the server's log. */
    public Builder clientName(String value) {
      clientName = Objects.requireNonNull(value, "clientName");
      return this;
    }

    /** At most so many at a time (4): each is made when it is needed; then requests share them. */
    public Builder connections(int value) {
      require(value > 0, "connections", value, "at least 1");
      connections = value;
      return this;
    }

    /**
     * For one attempt to connect (10 s): finding the server's addresses, trying them one after the
     * other, TLS and the greeting together.
     */
    public Builder connectTimeout(Duration value) {
      connectTimeout = positive("connectTimeout", value);
      return this;
    }

    /** How long a request waits while no connection can be made (10 s). */
    public Builder reconnectFor(Duration value) {
      require(!value.isNegative(), "reconnectFor", value, "not below 0");
      reconnectFor = limited(value);
      return this;
    }

    /** Pauses between attempts to connect. */
    public Builder backoff(Backoff value) {
      backoff = value;
      return this;
    }

    /**
     * Until the first answer to a request (30 s). For a generation that is the word that it has
     * been accepted, not its first token. Also the longest silence while requests run: then the
     * server is asked for a sign of life, and counts as lost if there is none in this time again.
     */
    public Builder answerTimeout(Duration value) {
      answerTimeout = positive("answerTimeout", value);
      return this;
    }

    /**
     * What is held of a generation that its consumer has not taken (256 tokens). When it is full,
     * nothing more is read from its connection until half of it is taken.
     */
    public Builder bufferedEvents(int value) {
      require(value > 1, "bufferedEvents", value, "at least 2");
      bufferedEvents = value;
      return this;
    }

    /** The longest message in either direction (16 MiB); the server may take less. */
    public Builder maxFrameBytes(int value) {
      require(value > 0, "maxFrameBytes", value, "at least 1");
      maxFrameBytes = value;
      return this;
    }

    /** What was collected. */
    public ClientOptions build() {
      return new ClientOptions(this);
    }
  }
}
