package dev.tandem.client;

import java.nio.file.Path;
import java.util.Optional;

/**
 * Whom to trust behind TLS. That the certificate is for the host that was asked for is always
 * checked.
 *
 * @param authorities a PEM file of certificates, by one of which the server's must be signed, or
 *     that are its own; empty = what the JDK trusts
 */
public record ClientTls(Optional<Path> authorities) {

  /** Those whom the JDK trusts. */
  public static ClientTls ofTheSystem() {
    return new ClientTls(Optional.empty());
  }

  /** Those in a PEM file alone. */
  public static ClientTls trusting(Path authorities) {
    return new ClientTls(Optional.of(authorities));
  }
}
