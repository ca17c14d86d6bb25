package dev.tandem.server.security;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.SslHandler;

/** The server's end of TLS, with the newest good key and certificate. */
public interface Tls {

  /** For a new connection. */
  SslHandler newHandler(ByteBufAllocator allocator);
}
