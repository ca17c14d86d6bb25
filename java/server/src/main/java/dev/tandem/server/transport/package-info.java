/**
 * What the channels of both protocols have in common: limits, timeouts, and waiting for slow
 * readers.
 */
package dev.tandem.server.transport;
