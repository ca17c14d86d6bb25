package dev.tandem.server.http;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class WebPageTest {

  private static final WebPage PAGE = WebPage.load();

  private static WebResponse get(String path) {
    return PAGE.get(path, Optional.empty()).orElseThrow(() -> new AssertionError(path));
  }

  private static String text(WebResponse response) {
    return StandardCharsets.UTF_8.decode(response.body().duplicate()).toString();
  }

  @ParameterizedTest
  @CsvSource({
    "/, text/html; charset=utf-8",
    "/assets/app.js, text/javascript; charset=utf-8",
    "/assets/style.css, text/css; charset=utf-8",
    "/assets/icon.svg, image/svg+xml",
  })
  void serves(String path, String type) {
    WebResponse response = get(path);
    assertEquals(200, response.status());
    assertEquals(type, response.headers().get("Content-Type"));
    assertEquals("no-cache", response.headers().get("Cache-Control"));
    assertEquals("nosniff", response.headers().get("X-Content-Type-Options"));
    assertEquals("no-referrer", response.headers().get("Referrer-Policy"));
    assertEquals("same-origin", response.headers().get("Cross-Origin-Opener-Policy"));
    assertTrue(response.body().hasRemaining());
  }

  @Test
  void policyNamesThisServerAndNothingElse() {
    String policy = get("/").headers().get("Content-Security-Policy");
    assertTrue(
        policy.startsWith("default-src 'none'; script-src 'self'; style-src 'self';"), policy);
    for (String directive :
        List.of(
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "connect-src 'self'")) {
      assertTrue(policy.contains(directive), directive);
    }
    assertFalse(policy.contains("unsafe"), policy);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "/index.html",
        "/assets",
        "/assets/",
        "/assets/index.html",
        "/assets/../app.js",
        "/assets/%61pp.js",
        "/assets/app.js/",
        "//assets/app.js",
        "/assets/APP.JS",
        "/v1/models",
        "/web/app.js",
        "/assets/app.js\0",
        "/assets/nothing.js"
      })
  void hasNothingElse(String path) {
    assertEquals(Optional.empty(), PAGE.get(path, Optional.empty()));
  }

  @Test
  void isNotSentTwice() {
    String tag = get("/").headers().get("ETag");
    assertTrue(tag.matches("\"[A-Za-z0-9_-]{20}\""), tag);
    for (String known :
        List.of(tag, "W/" + tag, "\"other\", " + tag, "*", "\"a\",W/" + tag + " ")) {
      WebResponse response = PAGE.get("/", Optional.of(known)).orElseThrow();
      assertEquals(304, response.status(), known);
      assertFalse(response.body().hasRemaining());
      assertEquals(tag, response.headers().get("ETag"));
    }
    for (String other :
        List.of(
            "\"other\"", "", tag.replace("\"", ""), get("/assets/app.js").headers().get("ETag"))) {
      assertEquals(200, PAGE.get("/", Optional.of(other)).orElseThrow().status(), other);
    }
  }

  @Test
  void bodiesAreNobodysToChange() {
    ByteBuffer body = get("/").body();
    assertThrows(ReadOnlyBufferException.class, () -> body.put(0, (byte) 0));
    body.position(10);
    assertEquals(0, get("/").body().position(), "each answer has its own position");
  }

  /** Whatever the page names is there, and nothing of it is elsewhere. */
  @Test
  void isWholeByItself() throws IOException {
    List<String> named = new ArrayList<>();
    Matcher address = Pattern.compile("(?:href|src)=\"([^\"#]+)\"").matcher(text(get("/")));
    while (address.find()) {
      named.add(address.group(1));
    }
    assertTrue(named.size() >= 4, named.toString());
    for (String path : named) {
      get(path);
      String content = text(get(path));
      Matcher imported = Pattern.compile("from '\\./([a-z.]+)'").matcher(content);
      while (imported.find()) {
        get("/assets/" + imported.group(1));
      }
      for (String never :
          List.of(
              "innerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import", "url(")) {
        assertFalse(content.contains(never), never + " in " + path);
      }
    }
    String page = text(get("/"));
    assertFalse(page.contains(" style="), "the policy would refuse inline styles");
    assertFalse(page.matches("(?s).*\\son[a-z]+=.*"), "and inline handlers");
  }

  @Test
  void servesEveryFileOfItsFolder() throws Exception {
    URI folder = WebPage.class.getResource("/web/index.html").toURI().resolve(".");
    try (var files = Files.list(Path.of(folder))) {
      for (Path file : files.toList()) {
        String name = file.getFileName().toString();
        WebResponse response = get(name.equals("index.html") ? "/" : "/assets/" + name);
        assertEquals(Files.readString(file), text(response));
      }
    }
  }
}
