package dev.tandem.server.http;

import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a request's first line asks for (RFC 9112, 3.2).
 *
 * @param path decoded, without the query; "*" for the server itself
 * @param host of a target that names one, as proxies are asked: it counts before the Host header
 */
record RequestTarget(String path, Optional<String> host) {

  private static final Pattern ABSOLUTE = Pattern.compile("(?i)https?://([^/?#@]+)(.*)");

  static RequestTarget of(String target) {
    Matcher absolute = ABSOLUTE.matcher(target);
    if (absolute.matches()) {
      String rest = absolute.group(2);
      return new RequestTarget(
          path(rest.startsWith("/") ? rest : "/" + rest), Optional.of(absolute.group(1)));
    }
    if (target.equals("*")) {
      return new RequestTarget("*", Optional.empty());
    }
    if (!target.startsWith("/")) {
      throw malformed();
    }
    return new RequestTarget(path(target), Optional.empty());
  }

  private static String path(String target) {
    try {
      return new QueryStringDecoder(target).path();
    } catch (IllegalArgumentException e) {
      throw malformed();
    }
  }

  private static HttpFailure malformed() {
    return HttpFailure.of(
        HttpResponseStatus.BAD_REQUEST, "invalid_target", "the request's target is no path");
  }
}
