package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.Keys;

/** A conversation from the first prompt on. */
final class ChatTest extends PageTest {

  @Test
  void tellsWhatIsServedAndWhere() {
    browser.open(server);
    assertEquals("CPU, 2 threads, AVX-512", browser.text("#model-place"));
    assertEquals("stories · Tandem", browser.driver().getTitle());
    assertTrue(browser.text("#facts").contains("1.1 billion, Q4_0"), browser.text("#facts"));
    assertTrue(browser.text("#facts").contains("8,192 tokens"), browser.text("#facts"));
  }

  @Test
  void modelsWithoutMoreThanANameAreEnough() {
    server.models(ScriptedServer.json(200, "{\"data\": [{\"id\": \"stories\"}]}"));
    server.chat(Feed.of("Yes."));
    browser.open(server).send("Is it so?");
    browser.await("the answer", "Yes.", browser::answer);
    assertEquals("", browser.text("#model-place"));
  }

  @Test
  void streams() {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server).send("Tell me a story");
    browser.await("the stop button", () -> browser.isShown("#stop"));
    feed.say("Once upon");
    browser.await("the first piece", "Once upon", browser::answer);
    assertTrue(browser.isShown(".turn.busy"));
    feed.say(" a time");
    browser.await("the second piece", "Once upon a time", browser::answer);
    feed.say(".");
    feed.finish(3);
    browser.await("the end", () -> browser.isShown("#send"));
    assertEquals("Once upon a time.", browser.answer());
    assertFalse(browser.isShown(".turn.busy"));
    String measures = browser.text(".turn.assistant .measures");
    assertEquals("38.4 tokens/s first token 120 ms 3 tokens", measures.replaceAll("\\s+", " "));

    JsonNode body = server.chats().getFirst();
    assertTrue(body.get("stream").asBoolean());
    assertTrue(body.get("stream_options").get("include_usage").asBoolean());
    assertEquals("stories", body.get("model").asText());
    assertEquals(List.of("user: Tell me a story"), messages(body));
    assertFalse(body.has("temperature"), "what is not set is the server's choice");
  }

  @Test
  void laterMessagesTellOfTheEarlierOnes() {
    server.chat(Feed.of("One."), Feed.of("Two."));
    browser.open(server).send("First");
    browser.await("the first answer", () -> browser.isShown("#send"));
    browser.send("Second");
    browser.await("the second answer", "Two.", browser::answer);
    assertEquals(
        List.of("user: First", "assistant: One.", "user: Second"), messages(server.chats().get(1)));
  }

  /** Events and characters may be cut anywhere, lines may end in any of three ways. */
  @Test
  void eventsAreReadWhereverTheyAreCut() {
    String text = "Größe 😀 — 日本語";
    Feed feed = new Feed();
    String events =
        "\uFEFF: a comment\r\n\r\n"
            + "event: message\r\n"
            + "id: 7\r\n"
            + "data: {\"choices\":[{\"delta\":{\"content\":\"Größe \"}}]}\r\n\r\n"
            + "data:{\"choices\":[{\"delta\":\r"
            + "data:{\"content\":\"😀 —\"}}]}\r\r"
            + "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null}}]}\n\n"
            + "data: {\"choices\":[{\"delta\":{\"content\":\""
            + " 日本語\"},\"finish_reason\":\"length\"}]}\n\n"
            + "data: [DONE]\n\n";
    for (byte each : events.getBytes(StandardCharsets.UTF_8)) {
      feed.raw(new byte[] {each});
    }
    feed.cut();
    server.chat(feed);
    browser.open(server).send("Sizes?");
    browser.await("the end", () -> browser.isShown("#send"));
    assertEquals(text, browser.answer());
    assertTrue(browser.text(".measures:not(:empty)").contains("reached the longest answer"));
  }

  /** The same text, cut by chance into pieces of bytes, gives the same events. */
  @Test
  void eventReaderKnowsNoPieces() {
    browser.open(server);
    Object failure =
        browser
            .driver()
            .executeAsyncScript(
                """
                const done = arguments[arguments.length - 1];
                import('/assets/server.js').then(({ EventReader }) => {
                  let seed = 20260101;
                  const below = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
                  for (let round = 0; round < 500; round++) {
                    const wanted = [];
                    let text = '';
                    for (let i = 0; i < 1 + below(6); i++) {
                      const end = ['\\n', '\\r', '\\r\\n'][below(3)];
                      const lines = Array.from({ length: 1 + below(3) }, () => 'aé😀 :\\u2028'.repeat(below(3)));
                      wanted.push(lines.join('\\n'));
                      if (below(3) === 0) text += ': heartbeat' + end + end;
                      text += lines.map((line) => 'data: ' + line + end).join('') + end;
                    }
                    const bytes = new TextEncoder().encode(text);
                    const reader = new EventReader();
                    const found = [];
                    for (let at = 0; at < bytes.length; ) {
                      const next = at + 1 + below(7);
                      found.push(...reader.feed(bytes.slice(at, next)));
                      at = next;
                    }
                    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
                      return done(`round ${round}: ${JSON.stringify(text)} gave ${JSON.stringify(found)}`);
                    }
                  }
                  done('');
                }, (error) => done(String(error)));
                """);
    assertEquals("", failure);
  }

  @Test
  void stops() throws InterruptedException {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server).send("Tell me a story");
    feed.say("Once upon");
    browser.await("the first piece", "Once upon", browser::answer);
    browser.click("#stop");
    assertTrue(feed.isLeft(), "the server learns of it");
    browser.await("the send button", () -> browser.isShown("#send"));
    assertEquals("Once upon", browser.answer());
    assertTrue(browser.text(".turn:last-child .measures").contains("stopped"));
    assertTrue(browser.isShown("#stop") != browser.isShown("#send"));
  }

  @Test
  void stoppedBeforeTheFirstPieceLeavesNoAnswer() throws InterruptedException {
    Feed feed = new Feed();
    server.chat(feed, Feed.of("Here."));
    browser.open(server).send("Hello?");
    browser.await("the request", () -> server.chats().size() == 1);
    browser.click("#stop");
    browser.await("no answer", () -> browser.all(".turn.assistant").isEmpty());
    browser.press("Try again");
    browser.await("the answer", "Here.", browser::answer);
    assertTrue(feed.isLeft());
  }

  @Test
  void reloadKeepsTheConversation() {
    server.chat(Feed.of("A **bold** answer."), Feed.of("Another."));
    browser.open(server).send("First");
    browser.await("the answer", () -> browser.isShown("#send"));
    browser.find("#prompt").sendKeys("half a message");
    browser.driver().navigate().refresh();
    browser.open(server);
    assertEquals("First", browser.text(".turn.user .text"));
    assertEquals("A bold answer.", browser.answer());
    assertEquals(1, browser.all(".turn.assistant strong").size());
    assertTrue(browser.text(".turn.assistant .measures").contains("38.4 tokens/s"));
    assertEquals("half a message", browser.find("#prompt").getDomProperty("value"));
    browser.find("#prompt").clear();
    browser.send("Second");
    browser.await("the next answer", "Another.", browser::answer);
    assertEquals(3, messages(server.chats().get(1)).size());
  }

  @Test
  void reloadInTheMiddleOfAnAnswerKeepsWhatHadCome() throws InterruptedException {
    Feed feed = new Feed();
    server.chat(feed, Feed.of("All of it."));
    browser.open(server).send("First");
    feed.say("Half of it");
    browser.await("the first piece", "Half of it", browser::answer);
    browser.driver().navigate().refresh();
    assertTrue(feed.isLeft());
    browser.await("the old text", "Half of it", browser::answer);
    assertTrue(browser.text(".turn.assistant .measures").contains("interrupted"));
    browser.press("Try again");
    browser.await("a new answer", "All of it.", browser::answer);
    assertEquals(1, browser.all(".turn.assistant").size());
  }

  @Test
  void theWayBackFindsWhatHadCome() throws InterruptedException {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server).send("First");
    feed.say("Half of it");
    browser.await("the first piece", "Half of it", browser::answer);
    browser.driver().get("about:blank");
    assertTrue(feed.isLeft(), "nothing is written for a page that was left");
    browser.driver().navigate().back();
    browser.await("the old text", "Half of it", browser::answer);
    browser.await("the end", () -> browser.labelled("Try again").isPresent());
    assertTrue(browser.text(".turn.assistant .measures").contains("interrupted"));
  }

  @Test
  void answersOnceMore() {
    server.chat(Feed.of("One."), Feed.of("Two."));
    browser.open(server).send("Say a number");
    browser.await("the answer", "One.", browser::answer);
    browser.press("Try again");
    browser.await("another", "Two.", browser::answer);
    assertEquals(1, browser.all(".turn.assistant").size());
    assertEquals(List.of("user: Say a number"), messages(server.chats().get(1)));
  }

  @Test
  void lastMessageCanBeEdited() {
    server.chat(Feed.of("One."), Feed.of("Two."), Feed.of("Three."));
    browser.open(server).send("First");
    browser.await("the first answer", "One.", browser::answer);
    browser.await("the end", () -> browser.isShown("#send"));
    browser.send("Secnd");
    browser.await("the second answer", "Two.", browser::answer);
    browser.press("Edit");
    assertEquals("Secnd", browser.find("#prompt").getDomProperty("value"));
    browser.find("#prompt").clear();
    browser.send("Second");
    browser.await("the third answer", "Three.", browser::answer);
    assertEquals(
        List.of("user: First", "assistant: One.", "user: Second"), messages(server.chats().get(2)));
    assertEquals(4, browser.all(".turn").size());
  }

  @Test
  void newChatAndBack() {
    server.chat(Feed.of("One."));
    browser.open(server).send("First");
    browser.await("the answer", "One.", browser::answer);
    browser.await("the end", () -> browser.isShown("#send"));
    browser.click("#new-chat");
    browser.await("nothing said yet", () -> browser.isShown("#welcome"));
    assertEquals(0, browser.all(".turn").size());
    browser.press("Back to the last one");
    browser.await("the old answer", "One.", browser::answer);
  }

  @Test
  void newChatEndsTheAnswerThatRuns() throws InterruptedException {
    Feed feed = new Feed();
    server.chat(feed, Feed.of("Fresh."));
    browser.open(server).send("First");
    feed.say("Half");
    browser.await("the first piece", "Half", browser::answer);
    browser.click("#new-chat");
    assertTrue(feed.isLeft());
    browser.send("Second");
    browser.await("the new answer", "Fresh.", browser::answer);
    assertEquals(2, browser.all(".turn").size());
    assertEquals(List.of("user: Second"), messages(server.chats().get(1)));
  }

  @Test
  void settingsAreSentAndKept() {
    server.chat(Feed.of("Aye."), Feed.of("Yes."));
    browser.open(server).click("#open-settings");
    assertEquals("0.8", browser.find("#set-temperature").getDomAttribute("placeholder"));
    browser.find("#set-temperature").sendKeys("0.35");
    browser.find("#set-top-p").sendKeys("0.9");
    browser.find("#set-max-tokens").sendKeys("64");
    browser.find("#set-system").sendKeys("You are a pirate.");
    browser.press("Save");
    browser.await("the dialog to close", () -> !browser.isShown("#settings"));
    browser.driver().navigate().refresh();
    browser.open(server).send("Hello");
    browser.await("the answer", "Aye.", browser::answer);
    JsonNode body = server.chats().getFirst();
    assertEquals(0.35, body.get("temperature").asDouble());
    assertEquals(0.9, body.get("top_p").asDouble());
    assertEquals(64, body.get("max_tokens").asInt());
    assertEquals(List.of("system: You are a pirate.", "user: Hello"), messages(body));

    browser.await("the end", () -> browser.isShown("#send"));
    browser.click("#open-settings");
    assertEquals("0.35", browser.find("#set-temperature").getDomProperty("value"));
    browser.press("Defaults");
    browser.press("Save");
    browser.send("And now");
    browser.await("the answer", "Yes.", browser::answer);
    assertFalse(server.chats().get(1).has("temperature"));
    assertFalse(messages(server.chats().get(1)).getFirst().startsWith("system"));
  }

  @Test
  void settingsBeyondTheirRangeAreNotSaved() {
    browser.open(server).click("#open-settings");
    browser.find("#set-temperature").sendKeys("7");
    browser.press("Save");
    assertTrue(browser.isShown("#settings"), "the browser names the range");
    browser.type(Keys.ESCAPE);
    browser.await("the dialog to close", () -> !browser.isShown("#settings"));
  }

  private static List<String> messages(JsonNode body) {
    return StreamSupport.stream(body.get("messages").spliterator(), false)
        .map(each -> each.get("role").asText() + ": " + each.get("content").asText())
        .toList();
  }
}
