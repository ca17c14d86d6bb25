package dev.tandem.server;

import dev.tandem.server.config.ConfigurationException;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.security.AccessRules;
import dev.tandem.server.security.Authenticator;
import dev.tandem.server.security.FileWatch;
import dev.tandem.server.security.PemTls;
import dev.tandem.server.security.Tls;
import dev.tandem.server.security.TokenAuthenticator;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ScheduledExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whom a server serves, by its options.
 *
 * @param address to listen at
 * @param authenticator knows the tokens
 * @param tls of both ports, if there is any
 * @param rules for what browsers ask
 */
record Access(
    InetAddress address, Authenticator authenticator, Optional<Tls> tls, AccessRules rules) {

  private static final Logger log = LoggerFactory.getLogger(Access.class);
  private static final Duration LOOK = Duration.ofSeconds(2);

  /**
   * Reads tokens, key and certificate, and has them watched.
   *
   * @param timer on which files are looked at
   * @throws ConfigurationException if anybody could ask, and nobody said that this is meant
   * @throws dev.tandem.server.security.SecurityFileException if a file is wrong
   */
  static Access of(ServerOptions options, ScheduledExecutorService timer) {
    ServerOptions.Security security = options.security();
    InetAddress address = address(options.network().host());
    Authenticator authenticator = authenticator(security, timer);
    requireMeant(address, authenticator, security);
    Optional<Tls> tls = tls(options, timer);
    if (!address.isLoopbackAddress() && authenticator.needsToken() && tls.isEmpty()) {
      log.warn(
          "tokens and texts go through the network unencrypted: give --tls-cert and --tls-key, or"
              + " put a proxy with TLS in front");
    }
    AccessRules rules =
        AccessRules.of(
            authenticator.needsToken(),
            !address.isLoopbackAddress(),
            security.allowedHosts(),
            security.corsOrigins());
    return new Access(address, authenticator, tls, rules);
  }

  private static InetAddress address(String host) {
    try {
      return InetAddress.getByName(host);
    } catch (UnknownHostException e) {
      throw new ConfigurationException(
          "--host %s: no such host; 127.0.0.1 is this machine alone, 0.0.0.0 all its addresses"
              .formatted(host));
    }
  }

  private static Authenticator authenticator(
      ServerOptions.Security security, ScheduledExecutorService timer) {
    if (security.tokenFile().isPresent() && security.tokens().isPresent()) {
      throw new ConfigurationException(
          "tokens come by --token-file and by TANDEM_SERVE_TOKENS: choose one");
    }
    if (security.tokens().isPresent()) {
      return TokenAuthenticator.of("TANDEM_SERVE_TOKENS", security.tokens().get().value());
    }
    if (security.tokenFile().isEmpty()) {
      return Authenticator.open();
    }
    Path file = security.tokenFile().get();
    TokenAuthenticator authenticator = TokenAuthenticator.of(file);
    FileWatch.start(List.of(file), LOOK, timer, () -> authenticator.reload(file));
    return authenticator;
  }

  private static void requireMeant(
      InetAddress address, Authenticator authenticator, ServerOptions.Security security) {
    if (address.isLoopbackAddress() || authenticator.needsToken()) {
      return;
    }
    if (!security.insecure()) {
      throw new ConfigurationException(
          "--host %s lets other machines ask, and no token is needed: give --token-file, or --insecure if that is meant"
              .formatted(address.getHostAddress()));
    }
    log.warn(
        "--insecure: every machine that reaches {} can use this server", address.getHostAddress());
  }

  private static Optional<Tls> tls(ServerOptions options, ScheduledExecutorService timer) {
    ServerOptions.Security security = options.security();
    if (security.certificate().isEmpty() || security.key().isEmpty()) {
      return Optional.empty();
    }
    List<Path> files = List.of(security.certificate().get(), security.key().get());
    PemTls tls =
        new PemTls(files.getFirst(), files.getLast(), options.network().handshakeTimeout());
    FileWatch.start(files, LOOK, timer, tls::reload);
    return Optional.of(tls);
  }
}
