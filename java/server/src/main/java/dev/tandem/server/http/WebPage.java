package dev.tandem.server.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The chat at {@code /}: the few files under {@code web/} on the class path, read once. Knows
 * nothing of connections; a handler asks it for GET and HEAD.
 *
 * <pre>
 * /                 web/index.html
 * /assets/app.js    web/app.js
 * </pre>
 *
 * <p>The files carry no version in their names, so browsers keep them but ask each time whether
 * they are still the same (an {@code ETag} of their content, answered with 304): a page and its
 * scripts are then never of two versions of the server for longer than one reload.
 *
 * <p>The page shows text that a model wrote, and holds a token: its Content-Security-Policy allows
 * no script, style or connection but this server's own, no inline ones, no frames around it, and
 * (Trusted Types) no string to become markup in any script.
 */
public final class WebPage {

  private static final List<String> FILES =
      List.of(
          "index.html",
          "style.css",
          "icon.svg",
          "theme.js",
          "app.js",
          "about.js",
          "dialogs.js",
          "markdown.js",
          "server.js",
          "store.js",
          "view.js");

  private static final Map<String, String> TYPES =
      Map.of(
          "html", "text/html; charset=utf-8",
          "css", "text/css; charset=utf-8",
          "js", "text/javascript; charset=utf-8",
          "svg", "image/svg+xml");

  private static final Map<String, String> SECURITY =
      Map.of(
          "Content-Security-Policy",
          "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
              + " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
              + " require-trusted-types-for 'script'; trusted-types 'none'",
          "Cross-Origin-Opener-Policy",
          "same-origin",
          "Cross-Origin-Resource-Policy",
          "same-origin",
          "Permissions-Policy",
          "camera=(), geolocation=(), microphone=()",
          "Referrer-Policy",
          "no-referrer",
          "X-Content-Type-Options",
          "nosniff");

  private final Map<String, Asset> assets; // by path

  private WebPage(Map<String, Asset> assets) {
    this.assets = assets;
  }

  /**
   * @throws UncheckedIOException if a file cannot be read
   * @throws IllegalStateException if a file is not on the class path
   */
  public static WebPage load() {
    Map<String, Asset> assets = new LinkedHashMap<>();
    for (String name : FILES) {
      String type = TYPES.get(name.substring(name.lastIndexOf('.') + 1));
      String path = name.equals("index.html") ? "/" : "/assets/" + name;
      assets.put(path, Asset.of(type, read(name)));
    }
    return new WebPage(Map.copyOf(assets));
  }

  private static byte[] read(String name) {
    try (InputStream file = WebPage.class.getResourceAsStream("/web/" + name)) {
      if (file == null) {
        throw new IllegalStateException(
            "web/%s is not on the class path: the server's jar is incomplete".formatted(name));
      }
      return file.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException("web/" + name + " of the server's jar cannot be read", e);
    }
  }

  /**
   * What to answer to GET or HEAD; empty if the path is none of the page's.
   *
   * @param path without the query: "/assets/app.js". Taken as it is: nothing in it is decoded, and
   *     it is never a path in a file system
   * @param ifNoneMatch the request's {@code If-None-Match}: {@code *}, or a list of entity tags
   */
  public Optional<WebResponse> get(String path, Optional<String> ifNoneMatch) {
    return Optional.ofNullable(assets.get(path)).map(asset -> asset.answer(ifNoneMatch));
  }

  /** A file with what is said of it. */
  private record Asset(byte[] content, String tag, Map<String, String> headers) {

    static Asset of(String type, byte[] content) {
      String tag = '"' + digest(content) + '"';
      Map<String, String> headers = new LinkedHashMap<>(SECURITY);
      headers.put("Content-Type", type);
      headers.put("Cache-Control", "no-cache");
      headers.put("ETag", tag);
      return new Asset(content, tag, Map.copyOf(headers));
    }

    WebResponse answer(Optional<String> ifNoneMatch) {
      return ifNoneMatch.filter(this::isKnown).isPresent()
          ? new WebResponse(304, headers, ByteBuffer.allocate(0))
          : new WebResponse(200, headers, ByteBuffer.wrap(content));
    }

    /** RFC 9110, 13.1.2: the weak comparison, which does not look at a tag's {@code W/}. */
    private boolean isKnown(String ifNoneMatch) {
      return ifNoneMatch.strip().equals("*")
          || Arrays.stream(ifNoneMatch.split(","))
              .map(String::strip)
              .map(each -> each.startsWith("W/") ? each.substring(2) : each)
              .anyMatch(tag::equals);
    }

    private static String digest(byte[] content) {
      try {
        byte[] hash = MessageDigest.getInstance("SHA-256").digest(content);
        return Base64.getUrlEncoder().withoutPadding().encodeToString(Arrays.copyOf(hash, 15));
      } catch (NoSuchAlgorithmException e) {
        throw new IllegalStateException("every Java platform has SHA-256", e);
      }
    }
  }
}
