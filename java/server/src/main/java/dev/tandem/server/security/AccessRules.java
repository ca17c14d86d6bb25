package dev.tandem.server.security;

import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Which HTTP requests a browser may have made on somebody's behalf. A page elsewhere can make a
 * browser ask any address, this machine's own too, and by a name of its own that it lets point here
 * (DNS rebinding). Where a token is needed, such a page lacks it, and nothing is checked. Elsewhere
 * the {@code Host} must be a name of this server, which a foreign page cannot choose, and a foreign
 * {@code Origin} is refused.
 *
 * @param needsToken whether who asks must have a token
 * @param anyAddress whether addresses other than loopback ones are names of this server: a page
 *     elsewhere has a name, so that an address tells that nobody was led here
 * @param hosts further names, in lower case; "*" = any
 * @param corsOrigins of pages elsewhere that may ask; "*" = any
 */
public record AccessRules(
    boolean needsToken, boolean anyAddress, Set<String> hosts, Set<String> corsOrigins) {

  private static final String ANY = "*";
  private static final Set<String> OWN = Set.of("localhost", "127.0.0.1", "[::1]");
  private static final Pattern ADDRESS =
      Pattern.compile("\\d{1,3}(\\.\\d{1,3}){3}|\\[[0-9a-f:.%]+\\]");

  /**
   * @param hosts of this server, as people write them
   * @param corsOrigins as people write them
   */
  public static AccessRules of(
      boolean needsToken, boolean anyAddress, List<String> hosts, List<String> corsOrigins) {
    return new AccessRules(needsToken, anyAddress, lower(hosts), lower(corsOrigins));
  }

  private static Set<String> lower(List<String> words) {
    Set<String> set = new HashSet<>();
    words.forEach(word -> set.add(word.toLowerCase(Locale.ROOT)));
    return Set.copyOf(set);
  }

  /**
   * Whether a request with this {@code Host} is served; the port in it does not matter.
   *
   * @param host empty = the request has none
   */
  public boolean allowsHost(Optional<String> host) {
    if (needsToken || hosts.contains(ANY)) {
      return true;
    }
    return host.map(AccessRules::name)
        .filter(name ->
            OWN.contains(name)
                || hosts.contains(name)
                || anyAddress && ADDRESS.matcher(name).matches())
        .isPresent();
  }

  /**
   * Whether a request with this {@code Origin} is served: one of the server's own page, one that
   * CORS allows, or one that no page made.
   *
   * @param origin empty = the request has none
   */
  public boolean allowsOrigin(Optional<String> origin, Optional<String> host) {
    return needsToken
        || origin.isEmpty()
        || allowsCors(origin.get())
        || host.isPresent() && isOf(origin.get(), host.get());
  }

  /** Whether a page of this origin is told that it may ask and read. */
  public boolean allowsCors(String origin) {
    return corsOrigins.contains(ANY) || corsOrigins.contains(origin.toLowerCase(Locale.ROOT));
  }

  private static boolean isOf(String origin, String host) {
    String lower = origin.toLowerCase(Locale.ROOT);
    String own = host.toLowerCase(Locale.ROOT);
    return lower.equals("http://" + own) || lower.equals("https://" + own);
  }

  /** A host without its port, in lower case; "" for what is no host. */
  private static String name(String host) {
    String lower = host.strip().toLowerCase(Locale.ROOT);
    int colon = lower.lastIndexOf(':');
    boolean hasPort = colon > lower.lastIndexOf(']');
    if (hasPort && !lower.substring(colon + 1).chars().allMatch(c -> c >= '0' && c <= '9')) {
      return "";
    }
    return hasPort ? lower.substring(0, colon) : lower;
  }
}
