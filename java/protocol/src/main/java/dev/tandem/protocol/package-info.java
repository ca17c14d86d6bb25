/**
 * The frames that carry the messages of {@code dev.tandem.protocol.v1}, which are generated. {@link
 * Frames} is the way in; {@code proto/README.md} is the specification.
 */
package dev.tandem.protocol;
