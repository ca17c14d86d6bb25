package dev.tandem.server.config;

import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Looks at the names by which browsers know this server, and pages elsewhere. One that is written
 * in another way than browsers send it would never be found, and nobody would be told.
 */
final class WebNames {

  private static final String ANY = "*";
  private static final String OPAQUE = "null"; // of a page without an origin: a file, say

  private static final Pattern HOST =
      Pattern.compile("[a-z0-9_-]+(\\.[a-z0-9_-]+)*\\.?|\\[[0-9a-f:.]+]");
  // Whatever people write around a host.
  private static final Pattern AROUND =
      Pattern.compile("(?:[a-z][a-z0-9+.-]*://)?(\\[[^\\]]*]|[^/:]+)(?::\\d*)?(?:/.*)?");
  private static final Pattern ORIGIN =
      Pattern.compile("([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\\[[0-9a-f:.]+])(:[0-9]{1,5})?");
  private static final Pattern PAGE = Pattern.compile("([a-z][a-z0-9+.-]*://[^/?#]+)[/?#].*");

  private WebNames() {}

  /**
   * Names of hosts, as they stand in {@code Host} without the port, which does not matter.
   *
   * @throws ConfigurationException that names the first one that is none
   */
  static void requireHosts(String flag, List<String> names) {
    for (String name : names) {
      String lower = name.toLowerCase(Locale.ROOT);
      if (!lower.equals(ANY) && !HOST.matcher(lower).matches()) {
        throw new ConfigurationException(
            "%s: '%s' is not possible: the name of a host alone is expected, such as"
                    .formatted(flag, name)
                + " chat.example.org or [::1]; any port is served"
                + host(lower));
      }
    }
  }

  private static String host(String written) {
    Matcher parts = AROUND.matcher(written);
    if (parts.matches() && HOST.matcher(parts.group(1)).matches()) {
      return ": write " + parts.group(1);
    }
    if (HOST.matcher("[" + written + "]").matches()) {
      return ": write [" + written + "]";
    }
    return written.chars().anyMatch(c -> c > '~') ? "; write it in ASCII (xn--...)" : "";
  }

  /**
   * Origins, as browsers send them: {@code https://chat.example.org}.
   *
   * @throws ConfigurationException that names the first one that is none
   */
  static void requireOrigins(String flag, List<String> names) {
    for (String name : names) {
      String lower = name.toLowerCase(Locale.ROOT);
      if (lower.equals(ANY) || lower.equals(OPAQUE)) {
        continue;
      }
      Matcher origin = ORIGIN.matcher(lower);
      boolean known = origin.matches();
      if (!known || isUsualPort(origin)) {
        throw new ConfigurationException(
            "%s: '%s' is not possible: what browsers send as Origin is expected, scheme, host and"
                    .formatted(flag, name)
                + " a port that is not the usual one"
                + (known ? ": write " + origin.group(1) + "://" + origin.group(2) : origin(lower)));
      }
    }
  }

  private static boolean isUsualPort(Matcher origin) {
    String usual =
        switch (origin.group(1)) {
          case "http" -> ":80";
          case "https" -> ":443";
          default -> "none";
        };
    return usual.equals(origin.group(3));
  }

  private static String origin(String written) {
    Matcher page = PAGE.matcher(written);
    return page.matches() && ORIGIN.matcher(page.group(1)).matches()
        ? ": write " + page.group(1)
        : ", such as https://chat.example.org";
  }
}
