/**
 * The server's end of the binary protocol ({@code proto/README.md}). A connection's handlers, in
 * the order of the bytes:
 *
 * <pre>
 *   TLS - frames, messages - WriteGate, FlushSoon - IdleTimeout - Handshake, then RpcConnection
 * </pre>
 *
 * The event loop reads messages and answers what takes no time; a generation has a virtual thread,
 * and so have long texts that are to be turned into tokens.
 */
package dev.tandem.server.rpc;
