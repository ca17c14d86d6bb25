package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.openqa.selenium.Keys;

/** The page with the server that it belongs to, and the built-in model. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@Timeout(120)
final class RealServerTest {

  private Browser browser;

  @BeforeAll
  void start() {
    browser = Browser.start();
  }

  @AfterAll
  void end() {
    if (browser != null) {
      browser.close();
    }
  }

  @Test
  void tellsAStory() {
    try (RealServer server = new RealServer("").load()) {
      browser.driver().get(server.url());
      browser.await(
          "where it runs", () -> browser.text("#model-place").startsWith("cpu, 1 thread"));
      assertTrue(browser.text("#facts").contains("3.5 million, F16"), browser.text("#facts"));
      assertTrue(browser.text("#facts").contains("256 tokens"), browser.text("#facts"));
      assertEquals("How does it begin?", browser.text("#welcome-title"));
      browser.press("Once upon a time");
      browser.await("the end", () -> browser.labelled("Try again").isPresent());
      assertTrue(browser.answer().length() > 40, browser.answer());
      String measures = browser.text(".turn.assistant .measures").replaceAll("\\s+", " ");
      assertTrue(
          measures.matches(
              "[\\d.,]+ tokens/s first token \\d+ ms \\d+ tokens( reached the longest answer)?"),
          measures);

      String story = browser.answer();
      browser.driver().navigate().refresh();
      browser.await("the same story", story, browser::answer);
      assertEquals(0, browser.log().size());
    }
  }

  @Test
  void obeysTheSettings() {
    try (RealServer server = new RealServer("").load()) {
      browser.driver().get(server.url());
      browser.await("the model", () -> !browser.text("#model-name").isEmpty());
      browser.click("#open-settings");
      assertEquals("", browser.find("#set-max-tokens").getDomProperty("value"));
      browser.find("#set-temperature").sendKeys("0");
      browser.find("#set-max-tokens").sendKeys("5");
      browser.press("Save");
      browser.send("Once upon a time");
      browser.await("the end", () -> browser.labelled("Try again").isPresent());
      String first = browser.answer();
      assertTrue(browser.text(".turn.assistant .measures").contains("5 tokens"));
      assertTrue(browser.text(".turn.assistant .measures").contains("reached the longest answer"));
      browser.press("Try again");
      browser.await("the end", () -> browser.labelled("Try again").isPresent());
      assertEquals(first, browser.answer(), "without chance it is the same");
      assertEquals(0, browser.log().size());
    }
  }

  @Test
  void saysWhenAMessageIsTooLong() {
    try (RealServer server = new RealServer("").load()) {
      browser.driver().get(server.url());
      browser.await("the model", () -> !browser.text("#model-name").isEmpty());
      browser.run(
          "const box = document.getElementById('prompt'); box.value = 'Once upon a time."
              + " '.repeat(500); box.dispatchEvent(new Event('input'))");
      browser.click("#send");
      browser.await("why", () -> browser.text(".turn .trouble:not([hidden])").contains("256"));
      browser.log();
    }
  }

  @Test
  void waitsForTheModel() {
    try (RealServer server = new RealServer("")) {
      server.desk().progress("the model is being loaded: 40 %");
      browser.driver().get(server.url());
      browser.await("how far it is", () -> browser.text("#notice").contains("40 %"));
      server.load();
      browser.await("where it runs", () -> browser.text("#model-place").startsWith("cpu"));
      browser.send("Once upon a time");
      browser.await("a story", () -> browser.labelled("Try again").isPresent());
      browser.log();
    }
  }

  @Test
  void asksForTheToken() {
    try (RealServer server = new RealServer("sesame").load()) {
      browser.driver().get(server.url());
      browser.await("the dialog", () -> browser.isShown("#token"));
      browser.type("sesame", Keys.ENTER);
      browser.await("where it runs", () -> browser.text("#model-place").startsWith("cpu"));
      browser.send("Once upon a time");
      browser.await("a story", () -> browser.labelled("Try again").isPresent());
      assertTrue(browser.answer().length() > 10);
      browser.log();
    }
  }
}
