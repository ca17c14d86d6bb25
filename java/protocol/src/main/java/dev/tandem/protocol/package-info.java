/** The frames that carry the messages of {@code dev.tandem.protocol.v1}, which are generated. */
package dev.tandem.protocol;
