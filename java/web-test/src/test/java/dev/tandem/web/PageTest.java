package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;

/**
 * A browser for a class of tests, a server for each test. After each, the console must have been
 * told of no error and no violation of the Content-Security-Policy.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(120)
abstract class PageTest {

  Browser browser;
  ScriptedServer server;

  @BeforeAll
  void startBrowser() {
    browser = Browser.start();
  }

  @BeforeEach
  void startServer() {
    browser.driver().get("about:blank");
    browser.log(); // what the page before it could not get any more from its server
    server = ScriptedServer.start();
  }

  @AfterEach
  void consoleIsQuiet() {
    List<String> log = browser.log();
    server.close();
    assertEquals(
        List.of(),
        log.stream().filter(line -> !isOfRefusal(line)).toList(),
        "errors in the browser's console");
  }

  /** The browser itself notes each response that is no success, whatever the page makes of it. */
  private static boolean isOfRefusal(String line) {
    return line.contains("Failed to load resource")
        && !line.contains("Content Security Policy")
        && !line.contains("/assets/");
  }

  @AfterAll
  void endBrowser() {
    if (browser != null) {
      browser.close();
    }
  }
}
