package dev.tandem.server.rpc;

import dev.tandem.server.request.Desk;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.transport.ConnectionLimit;
import io.netty.channel.group.ChannelGroup;

/**
 * What all connections share.
 *
 * @param greeted connections whose Hello was answered
 */
record RpcService(
    Desk desk,
    RpcOptions options,
    Authenticator authenticator,
    String serverName,
    ConnectionLimit connections,
    ChannelGroup greeted) {}
