/**
 * Asks a Tandem server over its binary protocol. {@link dev.tandem.client.TandemClient} is the way
 * in; docs/client.md tells by examples.
 *
 * <p>One thread, a daemon, does all input and output of a client, and owns its connections and
 * requests: {@code Pool}, {@code Connection} and {@code Call} are touched by it alone. What crosses
 * to those who ask is a bounded buffer per request ({@code Events}). Their code never runs on that
 * thread, so it may block.
 */
package dev.tandem.client;
