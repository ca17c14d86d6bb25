/**
 * What both protocols share: a request from its arrival to its end. A protocol makes an {@link
 * dev.tandem.server.request.Order} of what a peer sent, gives it to the {@link
 * dev.tandem.server.request.Desk}, and passes on what the {@link dev.tandem.server.request.Reply}
 * hears. Nothing here knows a protocol.
 */
package dev.tandem.server.request;
