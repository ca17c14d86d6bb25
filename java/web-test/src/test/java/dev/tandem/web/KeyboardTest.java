package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

/** Everything without a mouse, and what a screen reader is told. */
final class KeyboardTest extends PageTest {

  @Test
  void aWholeConversationByKeyboard() throws InterruptedException {
    Feed feed = new Feed();
    server.chat(feed, Feed.of("A second."));
    browser.open(server);
    assertEquals("prompt", focused(), "one can write at once");
    browser.type("Two", Keys.chord(Keys.SHIFT, Keys.ENTER), "lines", Keys.ENTER);
    feed.say("A first");
    browser.await("the first piece", "A first", browser::answer);
    assertEquals("Two\nlines", browser.text(".turn.user .text"));
    assertEquals("prompt", focused(), "the next message can be written meanwhile");
    browser.type(Keys.ESCAPE);
    assertTrue(feed.isLeft());
    browser.await("the send button", () -> browser.isShown("#send"));

    browser.type(Keys.ARROW_UP);
    assertEquals("Two\nlines", browser.find("#prompt").getDomProperty("value"));
    browser.type(Keys.ESCAPE);
    assertEquals("", browser.find("#prompt").getDomProperty("value"));
    assertFalse(browser.isShown(".replaced"));
    browser.type(Keys.ARROW_UP, " more", Keys.ENTER);
    browser.await("the second answer", "A second.", browser::answer);
    assertEquals("Two\nlines more", browser.text(".turn.user .text"));

    browser.run("document.activeElement.blur()");
    browser.find("body").sendKeys("/");
    assertEquals("prompt", focused());
    browser.type("1/2");
    assertEquals("1/2", browser.find("#prompt").getDomProperty("value"), "there it is a letter");
  }

  @Test
  void enterSendsNothingWhereThereIsNothing() {
    browser.open(server).type("  ", Keys.ENTER);
    assertEquals(0, server.chats().size());
    assertTrue(browser.isShown("#welcome"));
  }

  @Test
  void tabReachesEverythingAndIsSeen() {
    server.chat(Feed.of("```java\nint i;\n```\n\n[a link](https://example.org)"));
    browser.open(server).send("Show me");
    browser.await(
        "the end", () -> browser.isShown("#send") && browser.labelled("Try again").isPresent());
    browser.run("document.activeElement.blur(); scrollTo(0, 0)");
    List<String> reached = new ArrayList<>();
    for (int i = 0; i < 25; i++) {
      browser.type(Keys.TAB);
      WebElement element = browser.driver().switchTo().activeElement();
      if (element.getTagName().equals("body")) {
        continue; // the way round leads through the browser's own buttons
      }
      String name = element.getAccessibleName();
      reached.add(name.isEmpty() ? element.getTagName() : name);
      if (!"prompt".equals(focused())) { // whose frame is the whole message box
        assertEquals("solid", element.getCssValue("outline-style"), name);
      }
    }
    for (String name :
        List.of(
            "Skip to the message box",
            "New chat",
            "Settings",
            "Dark theme",
            "Copy",
            "Edit",
            "Copy the java",
            "a link",
            "Try again",
            "Message")) {
      assertTrue(reached.contains(name), name + " in " + reached);
    }
  }

  @Test
  void everythingHasANameAndARole() {
    server.chat(Feed.of("An answer."));
    browser.open(server).send("Question");
    browser.await("the end", () -> browser.labelled("Try again").isPresent());
    allHaveNames("button, textarea, a, progress, section, article");
    browser.click("#open-settings");
    allHaveNames("dialog[open], dialog[open] :is(button, input, textarea)");
    assertEquals("dialog", browser.find("#settings").getAriaRole());
    assertEquals("Settings", browser.find("#settings").getAccessibleName());
    assertEquals("Temperature", browser.find("#set-temperature").getAccessibleName());
    assertEquals("System prompt", browser.find("#set-system").getAccessibleName());
    browser.type(Keys.ESCAPE);
    assertEquals("Conversation", browser.find("#conversation").getAccessibleName());
    assertEquals("Answer", browser.find(".turn.assistant").getAccessibleName());
    assertEquals("en", browser.find("html").getDomAttribute("lang"));
    assertEquals(1, browser.all("h1").size());
    assertEquals(1, browser.all("main").size());
  }

  private void allHaveNames(String css) {
    List<WebElement> shown = browser.all(css).stream().filter(WebElement::isDisplayed).toList();
    assertTrue(shown.size() >= 6, shown.size() + " of " + css);
    for (WebElement element : shown) {
      assertFalse(element.getAccessibleName().isBlank(), element.getDomProperty("outerHTML"));
    }
  }

  /** In portions: a screen reader that is told each token never gets to speak. */
  @Test
  void answersAreAnnouncedInSentences() {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server);
    browser.run(
        """
        window.said = [];
        new MutationObserver(() => said.push(document.getElementById('announcer').textContent))
          .observe(document.getElementById('announcer'), {childList: true, characterData: true, subtree: true});
        """);
    browser.send("Question");
    for (String word : "It is so. And **that** is that. Or is".split("(?<= )")) {
      feed.say(word);
    }
    browser.await("the text", () -> browser.answer().endsWith("Or is"));
    feed.say(" it?");
    feed.finish(9);
    browser.await("the end", () -> browser.isShown("#send"));
    browser.await("that it was told", () -> said().contains("it?"));
    assertEquals("It is so. And that is that. Or is it?", said());
    assertEquals("status", browser.find("#announcer").getAriaRole());
    long portions = (Long) browser.run("return said.filter((each) => each !== '').length");
    assertTrue(portions <= 3, portions + " portions");
  }

  private String said() {
    return String.valueOf(browser.run("return said.join('')"));
  }

  private String focused() {
    return String.valueOf(browser.run("return document.activeElement.id"));
  }
}
