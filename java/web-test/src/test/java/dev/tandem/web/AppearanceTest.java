package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Light and dark, wide and narrow, still and moving. */
final class AppearanceTest extends PageTest {

  private static final String DARK = "rgb(21, 25, 27)";
  private static final String LIGHT = "rgb(246, 244, 239)";

  @AfterEach
  void asItWas() {
    browser.driver().executeCdpCommand("Emulation.setEmulatedMedia", Map.of());
    browser.driver().executeCdpCommand("Emulation.clearDeviceMetricsOverride", Map.of());
  }

  @Test
  void followsTheSystem() {
    browser.prefer("prefers-color-scheme", "dark");
    browser.open(server);
    assertEquals(DARK, background());
    browser.prefer("prefers-color-scheme", "light");
    assertEquals(LIGHT, background());
  }

  @Test
  void themeCanBeChosen() {
    browser.prefer("prefers-color-scheme", "light");
    browser.open(server).click("#theme");
    assertEquals(DARK, background());
    assertEquals("true", browser.find("#theme").getDomAttribute("aria-pressed"));
    browser.driver().navigate().refresh();
    assertEquals(DARK, background(), "the choice is kept");
    browser.open(server).click("#theme");
    assertEquals(LIGHT, background());
    assertEquals(0L, browser.run("return localStorage.length"), "the system's is no choice");
  }

  private String background() {
    return String.valueOf(
        browser.run(
            """
            const canvas = new OffscreenCanvas(1, 1).getContext('2d');
            canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
            canvas.fillRect(0, 0, 1, 1);
            return 'rgb(' + Array.from(canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)).join(', ') + ')';
            """));
  }

  /** WCAG 2.2, 1.4.3: 4.5 to 1 for every text that is shown. */
  @ParameterizedTest
  @ValueSource(strings = {"light", "dark"})
  void contrast(String theme) {
    server.chat(
        Feed.of(
            "A [link](https://example.org), `code`.\n\n> quoted\n\n```c\nint i;\n```\n\n1. one"),
        ScriptedServer.error(400, "refused", Map.of()));
    browser.prefer("prefers-color-scheme", theme);
    browser.open(server);
    assertEquals("", pale(), "before the first message");
    browser.send("Show me");
    browser.await("the end", () -> browser.labelled("Try again").isPresent());
    browser.send("And now");
    browser.await(
        "the trouble", () -> browser.text(".turn .trouble:not([hidden])").contains("Refused."));
    assertEquals("", pale(), "in a conversation");
    browser.click("#open-settings");
    assertEquals("", pale(), "in a dialog");
  }

  private String pale() {
    return String.valueOf(
        browser.run(
            """
            const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
            // What stands behind, drawn from the page's ground up.
            const seen = (node, color) => {
              const layers = [color];
              for (let each = node; each; each = each.parentElement) layers.push(getComputedStyle(each).backgroundColor);
              canvas.clearRect(0, 0, 1, 1);
              for (const layer of layers.reverse()) if (layer) { canvas.fillStyle = layer; canvas.fillRect(0, 0, 1, 1); }
              const [r, g, b] = Array.from(canvas.getImageData(0, 0, 1, 1).data, (v) => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
              return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const found = [];
            let looked = 0;
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            while (walker.nextNode()) {
              const node = walker.currentNode.parentElement;
              if (!walker.currentNode.data.trim() || !node.checkVisibility() || node.closest('.unseen, .skip, :disabled, noscript, svg')) continue;
              looked++;
              const style = getComputedStyle(node);
              const text = seen(node, style.color), ground = seen(node, null);
              const contrast = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
              if (contrast < 4.5) found.push(walker.currentNode.data.trim() + ' ' + contrast.toFixed(2));
            }
            return looked < 10 ? 'only ' + looked : found.join('; ');
            """));
  }

  @ParameterizedTest
  @CsvSource({"320, 640", "390, 780", "768, 1024", "1100, 760"})
  void nothingIsWiderThanTheScreen(int width, int height) {
    server.chat(
        Feed.of(
            "A".repeat(300)
                + "\n\n```\n"
                + "code ".repeat(100)
                + "\n```\n\n| "
                + "long cell | ".repeat(20)
                + "\n|"
                + "---|".repeat(20)
                + "\n"));
    browser.resize(width, height, width < 600);
    browser.open(server);
    assertEquals((long) width, browser.run("return document.documentElement.scrollWidth"));
    browser.send("Something " + "long".repeat(100));
    browser.await("the end", () -> browser.labelled("Try again").isPresent());
    assertEquals((long) width, browser.run("return document.documentElement.scrollWidth"));
    browser.click("#open-settings");
    assertTrue(browser.find("#settings").getSize().getWidth() <= width);
    assertTrue(browser.find("#settings").getSize().getHeight() <= height);
  }

  @Test
  void nothingMovesForThoseWhoWantNoMotion() {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server).send("Hello");
    browser.await("a moving wheel", () -> wheel().equals("wheel"));
    browser.prefer("prefers-reduced-motion", "reduce");
    assertEquals("none", wheel());
    feed.finish(0);
    browser.await("the end", () -> browser.isShown("#send"));
  }

  private String wheel() {
    return String.valueOf(
        browser.run(
            "const turn = document.querySelector('.turn.busy');"
                + " return turn ? getComputedStyle(turn, '::after').animationName : ''"));
  }

  /** The end stays in view while the answer grows, unless one reads further up. */
  @Test
  void followsTheAnswerUntilTheReaderScrollsUp() {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server).send("Tell me a long story");
    feed.say("line\n\n".repeat(60));
    browser.await("the end in view", () -> rest() < 2 && height() > 1500);
    browser.run("scrollTo(0, 0)");
    browser.await("the way down", () -> browser.isShown("#latest"));
    double before = height();
    feed.say("line\n\n".repeat(20) + "the end");
    browser.await("the growth", () -> height() > before);
    assertNotEquals(0, rest());
    assertEquals(0L, browser.run("return scrollY"));
    browser.click("#latest");
    browser.await("the end in view", () -> rest() < 2);
    feed.finish(80);
    browser.await("the end", () -> browser.isShown("#send"));
  }

  private double height() {
    return ((Number) browser.run("return document.documentElement.scrollHeight")).doubleValue();
  }

  private double rest() {
    return ((Number)
            browser.run("return document.documentElement.scrollHeight - scrollY - innerHeight"))
        .doubleValue();
  }
}
