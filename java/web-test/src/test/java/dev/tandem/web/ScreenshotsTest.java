package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.openqa.selenium.OutputType;

/** Takes the pictures of docs/web.md, when asked to. */
@EnabledIfSystemProperty(
    named = "tandem.screenshots",
    matches = ".+",
    disabledReason = "-Dtandem.screenshots=docs/images takes the pictures of docs/web.md")
final class ScreenshotsTest extends PageTest {

  private static final long MOST_BYTES = 150_000;

  private static final String ANSWER =
      """
      A bicycle stays upright because it **steers into the fall**. When it leans to the left, the front
      wheel turns to the left too, and the wheels move back under the weight.

      Three things make it do so:

      1. *Trail*: the wheel touches the ground behind the steering axis, like a castor.
      2. The gyroscopic effect of the front wheel, which is small at low speed.
      3. The rider, who does the same with small movements.

      ```python
      def steer(lean, speed):
          # the faster, the less it takes
          return lean * 9.81 / max(speed, 0.1) ** 2
      ```

      Above about 4 m/s most bicycles need no rider for it.
      """
          .strip()
          .replaceAll("(?<=front|the)\\n", " ");

  @Test
  void take() throws IOException {
    for (String theme : new String[] {"light", "dark"}) {
      browser.prefer("prefers-color-scheme", theme);
      browser.resize(1100, 860, false);
      browser.open(server);
      shoot("web-welcome-" + theme);
      Feed feed = Feed.of(ANSWER.split("(?<= )"));
      Feed running = new Feed();
      server.chat(feed, running);
      browser.send("Why does a bicycle stay upright?");
      browser.await("the answer", () -> browser.labelled("Try again").isPresent());
      browser.run("document.getElementById('prompt').blur(); scrollTo(0, 0)");
      shoot("web-chat-" + theme);
      browser.resize(390, 780, true);
      browser.send("And a tandem?");
      running.say(
          "A tandem does the same, only **more slowly**: its longer wheelbase turns a movement of");
      browser.await("the next answer", () -> browser.answer().endsWith("movement of"));
      browser.run("scrollTo(0, document.documentElement.scrollHeight)");
      shoot("web-phone-" + theme);
      running.finish(20);
      browser.await("the end", () -> browser.isShown("#send"));
      browser.click("#new-chat");
    }
  }

  private void shoot(String name) throws IOException {
    browser.run(
        "document.querySelectorAll('html, body').forEach((each) => each.style.caretColor ="
            + " 'transparent')");
    browser.driver().executeCdpCommand("Page.bringToFront", Map.of());
    byte[] picture = browser.driver().getScreenshotAs(OutputType.BYTES);
    assertTrue(picture.length < MOST_BYTES, name + " has " + picture.length + " bytes");
    Path folder = Path.of(System.getProperty("tandem.screenshots"));
    Files.createDirectories(folder);
    Files.write(folder.resolve(name + ".png"), picture);
  }
}
