package dev.tandem.server.http;

import dev.tandem.server.request.Caller;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.security.AccessRules;
import dev.tandem.server.security.Authenticator;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * Says who may ask, by a request's header alone, before any of its body is read. Knows nothing of
 * connections.
 */
final class Gatekeeper {

  /** Fields of which two would leave it to chance which one counts. */
  private static final List<CharSequence> ONCE =
      List.of(
          HttpHeaderNames.HOST,
          HttpHeaderNames.AUTHORIZATION,
          HttpHeaderNames.CONTENT_TYPE,
          HttpHeaderNames.ORIGIN,
          HttpHeaderNames.EXPECT);

  private static final Set<String> OPEN = Set.of("/live", "/health");
  private static final String BEARER = "bearer ";

  private final AccessRules rules;
  private final Authenticator authenticator;
  private final boolean web;

  Gatekeeper(HttpOptions options, Authenticator authenticator) {
    this.rules = options.access();
    this.authenticator = authenticator;
    this.web = options.web();
  }

  /**
   * Who asks.
   *
   * @throws HttpFailure if that is somebody who may not, or not so
   */
  Caller admit(HttpRequest request, RequestTarget target) {
    requireSoundHeader(request);
    HttpHeaders headers = request.headers();
    Optional<String> host =
        target.host().or(() -> Optional.ofNullable(headers.get(HttpHeaderNames.HOST)));
    if (!rules.allowsHost(host)) {
      throw HttpFailure.of(
          HttpResponseStatus.FORBIDDEN,
          "host_not_allowed",
          "this server is not asked by this Host: use localhost, or add the host"
              + " (--allowed-hosts)");
    }
    if (!rules.allowsOrigin(Optional.ofNullable(headers.get(HttpHeaderNames.ORIGIN)), host)) {
      throw HttpFailure.of(
          HttpResponseStatus.FORBIDDEN,
          "origin_not_allowed",
          "pages of this Origin may not ask: add it if they should (--cors-origins)");
    }
    if (request.method().equals(HttpMethod.OPTIONS)) { // of a browser, without a token
      return Caller.ANYBODY;
    }
    Caller caller = isOpen(target.path()) ? Caller.ANYBODY : authenticated(headers);
    if (request.method().equals(HttpMethod.POST)) {
      requireJson(headers.get(HttpHeaderNames.CONTENT_TYPE, ""));
    }
    return caller;
  }

  /** The origin that is told it may read the answer. */
  Optional<String> corsOrigin(HttpRequest request) {
    return Optional.ofNullable(request.headers().get(HttpHeaderNames.ORIGIN))
        .filter(rules::allowsCors);
  }

  private static void requireSoundHeader(HttpRequest request) {
    for (CharSequence name : ONCE) {
      if (request.headers().getAll(name).size() > 1) {
        throw HttpFailure.of(
            HttpResponseStatus.BAD_REQUEST, "invalid_header", "two fields " + name + ": send one");
      }
    }
    if (!request.headers().contains(HttpHeaderNames.HOST)
        && request.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      throw HttpFailure.of(
          HttpResponseStatus.BAD_REQUEST, "invalid_header", "HTTP/1.1 needs a field Host");
    }
  }

  /** The page asks for the token, and is nothing secret. */
  private boolean isOpen(String path) {
    return OPEN.contains(path) || web && (path.equals("/") || path.startsWith("/assets/"));
  }

  private Caller authenticated(HttpHeaders headers) {
    String value = headers.get(HttpHeaderNames.AUTHORIZATION, "").strip();
    boolean isBearer = value.toLowerCase(Locale.ROOT).startsWith(BEARER);
    String token = isBearer ? value.substring(BEARER.length()).strip() : "";
    return authenticator
        .caller(token)
        .orElseThrow(() ->
            HttpFailure.of(
                Refusal.of(
                    Problem.UNAUTHENTICATED,
                    isBearer
                        ? "this token is not known here"
                        : "a token is needed: send the field Authorization: Bearer TOKEN")));
  }

  /** A page elsewhere cannot send this type without asking first. */
  private static void requireJson(String contentType) {
    CharSequence type = HttpUtil.getMimeType(contentType);
    if (type == null || !type.toString().strip().equalsIgnoreCase("application/json")) {
      throw HttpFailure.of(
          HttpResponseStatus.UNSUPPORTED_MEDIA_TYPE,
          "unsupported_media_type",
          "the body must be JSON: send the field Content-Type: application/json");
    }
  }
}
