package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CountDownLatch;
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

  private void open(RealServer server) {
    browser.driver().get(server.url());
    browser.await(
        "where it runs", () -> browser.text("#model-place").matches("cpu .*, 1 thread.*"));
  }

  private void awaitEnd() {
    browser.await("the end", () -> browser.labelled("Try again").isPresent());
  }

  @Test
  void tellsAStory() throws Exception {
    try (RealServer server = RealServer.start().awaitReady()) {
      open(server);
      assertTrue(browser.text("#facts").contains("3.5 million, F16"), browser.text("#facts"));
      assertTrue(browser.text("#facts").contains("256 tokens"), browser.text("#facts"));
      assertEquals("How does it begin?", browser.text("#welcome-title"));
      browser.press("Once upon a time");
      awaitEnd();
      assertTrue(browser.answer().length() > 40, browser.answer());
      String measures = browser.text(".turn.assistant .measures").replaceAll("\\s+", " ");
      assertTrue(
          measures.matches(
              "[\\d.,]+ tokens/s first token \\d+ ms \\d+ tokens( reached the longest answer)?"),
          measures);

      String story = browser.answer();
      browser.driver().navigate().refresh();
      browser.await("the same story", story, browser::answer);
      assertEquals(List.of(), browser.log());
    }
  }

  @Test
  void obeysTheSettings() throws Exception {
    try (RealServer server = RealServer.start().awaitReady()) {
      open(server);
      browser.click("#open-settings");
      browser.find("#set-temperature").sendKeys("0");
      browser.find("#set-max-tokens").sendKeys("5");
      browser.press("Save");
      browser.send("Once upon a time");
      awaitEnd();
      String first = browser.answer();
      String measures = browser.text(".turn.assistant .measures");
      assertTrue(measures.contains("5 tokens"), measures);
      assertTrue(measures.contains("reached the longest answer"), measures);
      browser.run("document.querySelector('.turn.assistant').id = 'old'");
      browser.press("Try again");
      browser.await("a new answer", () -> browser.all("#old").isEmpty());
      awaitEnd();
      assertEquals(first, browser.answer(), "without chance it is the same");
      assertEquals(List.of(), browser.log());
    }
  }

  /** What is stopped in the browser is not computed any more. */
  @Test
  void stops() throws Exception {
    try (RealServer server =
        RealServer.start(loader -> SlowBackend.loader(loader, 100)).awaitReady()) {
      open(server);
      browser.send("Once upon a time");
      browser.await("the beginning", () -> browser.answer().length() > 10);
      assertEquals(1, server.unfinished());
      String beginning = browser.answer();
      browser.click("#stop");
      browser.await("the server's end", () -> server.unfinished() == 0);
      awaitEnd();
      assertTrue(browser.answer().startsWith(beginning));
      assertTrue(browser.text(".turn.assistant .measures").contains("stopped"));
      assertEquals(List.of(), browser.log());
    }
  }

  @Test
  void closedPagesAreNotComputedFor() throws Exception {
    try (RealServer server =
        RealServer.start(loader -> SlowBackend.loader(loader, 100)).awaitReady()) {
      open(server);
      browser.send("Once upon a time");
      browser.await("the beginning", () -> browser.answer().length() > 10);
      assertEquals(1, server.unfinished());
      browser.driver().get("about:blank");
      browser.await("the server's end", () -> server.unfinished() == 0);
    }
  }

  @Test
  void saysWhenAMessageIsTooLong() throws Exception {
    try (RealServer server = RealServer.start().awaitReady()) {
      open(server);
      browser.run(
          "const box = document.getElementById('prompt'); box.value = 'Once upon a time."
              + " '.repeat(500); box.dispatchEvent(new Event('input'))");
      browser.click("#send");
      browser.await("why", () -> browser.text(".turn .trouble:not([hidden])").contains("256"));
      browser.log();
    }
  }

  @Test
  void waitsForTheModel() throws Exception {
    CountDownLatch load = new CountDownLatch(1);
    try (RealServer server =
        RealServer.start(loader ->
            listener -> {
              listener.progress(40, 100);
              await(load);
              return loader.load(listener);
            })) {
      browser.driver().get(server.url());
      browser.await("how far it is", () -> browser.text("#notice").contains("40 %"));
      load.countDown();
      browser.await("where it runs", () -> browser.text("#model-place").startsWith("cpu"));
      browser.send("Once upon a time");
      awaitEnd();
      browser.log();
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void asksForTheToken() throws Exception {
    try (RealServer server = RealServer.withToken("open-sesame-0123456789 web").awaitReady()) {
      browser.driver().get(server.url());
      browser.await("the dialog", () -> browser.isShown("#token"));
      browser.type("wrong", Keys.ENTER);
      browser.await("that it was wrong", () -> browser.isShown("#token-trouble"));
      browser.type("open-sesame-0123456789", Keys.ENTER);
      browser.await("where it runs", () -> browser.text("#model-place").startsWith("cpu"));
      browser.send("Once upon a time");
      awaitEnd();
      assertTrue(browser.answer().length() > 10);
      browser.log();
    }
  }
}
