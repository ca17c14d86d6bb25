/**
 * The server's log: lines of text or JSON, each with the id of the request that it is about; never
 * with what people write or keep secret.
 */
package dev.tandem.server.log;
