package dev.tandem.server.rpc;

import dev.tandem.server.request.Desk;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.transport.ConnectionLimit;
import io.netty.channel.group.ChannelGroup;
import java.util.concurrent.Semaphore;

/**
 * What all connections share.
 *
 * @param room bytes that requests which take long, and their answers, may still have, of all
 *     connections
 * @param greeted connections whose Hello was answered
 */
record RpcService(
    Desk desk,
    RpcOptions options,
    Authenticator authenticator,
    String serverName,
    ConnectionLimit connections,
    Semaphore room,
    ChannelGroup greeted) {}
