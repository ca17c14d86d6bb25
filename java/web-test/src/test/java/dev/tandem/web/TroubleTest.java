package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.openqa.selenium.Keys;

/** What the page says and does when there is no answer. */
final class TroubleTest extends PageTest {

  private static final String TROUBLE = ".turn .trouble:not([hidden])";

  /** Answers only to those who have the token. */
  private static ScriptedServer.Answer guarded(ScriptedServer.Answer answer) {
    return exchange -> {
      boolean known =
          "Bearer sesame".equals(exchange.getRequestHeaders().getFirst("Authorization"));
      (known ? answer : ScriptedServer.error(401, "this server needs a token", Map.of()))
          .to(exchange);
    };
  }

  @Test
  void asksForATokenWhereOneIsNeeded() {
    server.models(guarded(ScriptedServer.json(200, ScriptedServer.MODEL)));
    server.chat(guarded(Feed.of("Welcome.")));
    browser.driver().get(server.url());
    browser.await("the dialog", () -> browser.isShown("#token"));
    assertFalse(browser.isShown("#token-trouble"));
    browser.type("guess", Keys.ENTER);
    browser.await("that it was wrong", () -> browser.isShown("#token-trouble"));
    browser.type("sesame", Keys.ENTER);
    browser.await("the model", "stories", () -> browser.text("#model-name"));
    browser.send("Hello");
    browser.await("the answer", "Welcome.", browser::answer);
    assertEquals("Bearer sesame", server.tokens().getLast());

    assertTrue(
        String.valueOf(browser.run("return JSON.stringify(sessionStorage)")).contains("sesame"));
    assertFalse(
        String.valueOf(browser.run("return JSON.stringify(localStorage)")).contains("sesame"));
    assertFalse(String.valueOf(browser.run("return document.cookie")).contains("sesame"));
    assertEquals("", browser.run("return document.getElementById('token-value').value"));

    browser.driver().navigate().refresh();
    browser.await("the model", "stories", () -> browser.text("#model-name"));
    assertFalse(browser.isShown("#token"), "it is kept over a reload");
  }

  /** The token was taken back, or expired, between two messages. */
  @Test
  void asksForATokenInTheMiddleOfAConversation() {
    server.chat(guarded(Feed.of("no")), guarded(Feed.of("Welcome back.")));
    browser.open(server).send("Hello");
    browser.await("the dialog", () -> browser.isShown("#token"));
    browser.type("sesame", Keys.ENTER);
    browser.await("the answer", "Welcome back.", browser::answer);
  }

  @Test
  void withoutATokenItSaysSo() {
    server.chat(guarded(Feed.of("no")), Feed.of("Yes."));
    browser.open(server).send("Hello");
    browser.await("the dialog", () -> browser.isShown("#token"));
    browser.type(Keys.ESCAPE);
    browser.await("why", () -> browser.text(TROUBLE).contains("needs a token"));
    assertTrue(browser.isShown("#send"));
  }

  @Test
  void tellsHowFarLoadingIs() {
    AtomicReference<ScriptedServer.Answer> models = new AtomicReference<>(loading(25));
    AtomicReference<ScriptedServer.Answer> health = new AtomicReference<>(loading(25));
    server.models(exchange -> models.get().to(exchange));
    server.health(exchange -> health.get().to(exchange));
    browser.driver().get(server.url());
    browser.await("25 %", () -> browser.text("#notice").contains("being loaded: 25 %."));
    assertEquals("0.25", String.valueOf(browser.find("#notice-progress").getDomProperty("value")));
    health.set(loading(75));
    browser.await("75 %", () -> browser.text("#notice").contains("75 %"));
    models.set(ScriptedServer.json(200, ScriptedServer.MODEL));
    health.set(ScriptedServer.json(200, "{}"));
    browser.await("the model", "stories", () -> browser.text("#model-name"));
    assertFalse(browser.isShown("#notice"));
  }

  private static ScriptedServer.Answer loading(int percent) {
    return unavailable("model_loading", "the model is being loaded: %d %%".formatted(percent));
  }

  private static ScriptedServer.Answer unavailable(String code, String message) {
    return ScriptedServer.json(
        503,
        Feed.json(Map.of("error", Map.of("code", code, "message", message))),
        Map.of("Retry-After", "1"));
  }

  @Test
  void saysThatTheModelCouldNotBeLoaded() {
    AtomicReference<ScriptedServer.Answer> models = new AtomicReference<>(loading(25));
    server.models(exchange -> models.get().to(exchange));
    server.health(loading(25));
    browser.driver().get(server.url());
    browser.await("25 %", () -> browser.text("#notice").contains("being loaded: 25 %."));
    models.set(ScriptedServer.error(500, "the model cannot be loaded", Map.of()));
    server.health(unavailable("internal_error", "the model cannot be loaded"));
    browser.await("why", () -> browser.text("#notice").contains("The model cannot be loaded."));
    browser.await("no bar", () -> !browser.isShown("#notice-progress"));
    models.set(ScriptedServer.json(200, ScriptedServer.MODEL));
    browser.press("Try again");
    browser.await("the model", "stories", () -> browser.text("#model-name"));
    assertFalse(browser.isShown("#notice"));
  }

  @Test
  void saysThatTheServerEnds() {
    AtomicReference<ScriptedServer.Answer> models =
        new AtomicReference<>(unavailable("server_unavailable", "the server is ending"));
    server.models(exchange -> models.get().to(exchange));
    browser.driver().get(server.url());
    browser.await(
        "why", () -> browser.text("#notice").contains("The server is ending. Trying again"));
    assertFalse(browser.isShown("#notice-progress"));
    models.set(ScriptedServer.json(200, ScriptedServer.MODEL));
    browser.await("the next server", "stories", () -> browser.text("#model-name"));
    assertFalse(browser.isShown("#notice"));
  }

  /** Of an overloaded server, of one that ends, or of a proxy that finds none. */
  @Test
  void messagesAreSentAgainOnlySoOften() {
    ScriptedServer.Answer overloaded = unavailable("server_overloaded", "bodies take all memory");
    server.chat(overloaded, Feed.of("At last."));
    browser.open(server).send("Hello");
    browser.await("why", () -> browser.text(TROUBLE).contains("Bodies take all memory. Trying"));
    browser.await("the answer", "At last.", browser::answer);
    for (int i = 0; i < 9; i++) {
      server.chat(ScriptedServer.json(503, "<html>", Map.of("Retry-After", "1")));
    }
    browser.send("Hello?");
    browser.await("the end", () -> browser.isShown("#send"));
    assertTrue(browser.text(TROUBLE).contains("The server answered with 503"));
    assertFalse(browser.text(TROUBLE).contains("Trying again"));
    assertEquals(11, server.chats().size());
  }

  @Test
  void messagesWaitForTheModel() {
    server.chat(loading(50), loading(90), Feed.of("Ready."));
    browser.open(server).send("Hello");
    browser.await("why", () -> browser.text(TROUBLE).contains("The model is being loaded: 50 %."));
    browser.await("the answer", "Ready.", browser::answer);
    assertEquals(3, server.chats().size());
    assertFalse(browser.isShown(TROUBLE));
  }

  @Test
  void countsDownWhenTheServerIsBusy() {
    server.chat(busy(600), busy(1), Feed.of("At last."));
    browser.open(server).send("Hello");
    browser.await("the time", () -> browser.text(TROUBLE).contains("Trying again in 600 s."));
    assertTrue(browser.text(TROUBLE).contains("256 requests wait"));
    browser.await("it to count", () -> browser.text(TROUBLE).contains("Trying again in 599 s."));
    browser.press("Try now");
    browser.await("the answer", "At last.", browser::answer);
    assertEquals(3, server.chats().size(), "the second attempt was told to wait for a second");
  }

  @Test
  void waitingCanBeGivenUp() {
    server.chat(busy(600));
    browser.open(server).send("Hello");
    browser.await("the time", () -> browser.text(TROUBLE).contains("Trying again in"));
    browser.type(Keys.ESCAPE);
    browser.await("the send button", () -> browser.isShown("#send"));
    assertEquals(1, browser.all(".turn").size());
    assertEquals(1, server.chats().size());
  }

  private static ScriptedServer.Answer busy(int seconds) {
    return ScriptedServer.error(
        429, "256 requests wait already.", Map.of("Retry-After", String.valueOf(seconds)));
  }

  @Test
  void refusalsAreShownAsTheServerPutThem() {
    server.chat(
        ScriptedServer.error(400, "the prompt has 9120 tokens, 8192 fit <b>here</b>", Map.of()),
        exchange -> {
          exchange.sendResponseHeaders(502, 0);
          exchange.getResponseBody().write("<html>".getBytes(StandardCharsets.UTF_8));
        });
    browser.open(server).send("Hello");
    browser.await("why", () -> browser.text(TROUBLE).contains("8192 fit <b>here</b>."));
    browser.press("Try again");
    browser.await("the status", () -> browser.text(TROUBLE).contains("answered with 502"));
  }

  @Test
  void errorsInTheStreamEndIt() {
    Feed feed = new Feed();
    feed.say("Once");
    feed.event(Map.of("error", Map.of("message", "the device failed")));
    server.chat(feed);
    browser.open(server).send("Hello");
    browser.await("why", () -> browser.text(TROUBLE).contains("The device failed."));
    assertEquals("Once", browser.answer());
    assertTrue(browser.text(".turn.assistant .measures").contains("broken off"));
    feed.cut();
  }

  @Test
  void aStreamThatEndsTooEarlyIsNotTakenForTheWhole() {
    Feed feed = new Feed();
    feed.say("Once upon");
    feed.cut();
    server.chat(feed, Feed.of("Once upon a time."));
    browser.open(server).send("Hello");
    browser.await("why", () -> browser.text(TROUBLE).contains("middle of the answer"));
    assertEquals("Once upon", browser.answer());
    browser.press("Try again");
    browser.await("the whole", "Once upon a time.", browser::answer);
  }

  @Test
  void aServerThatIsKilledAndComesBack() {
    Feed feed = new Feed();
    server.chat(feed);
    browser.open(server).send("Hello");
    feed.say("Once upon");
    browser.await("the first piece", "Once upon", browser::answer);
    int port = server.port();
    server.close();
    browser.await("why", () -> browser.text(TROUBLE).contains("middle of the answer"));
    browser.press("Try again");
    browser.await("why", () -> browser.text(TROUBLE).contains("cannot be reached"));
    browser.await("that it looks", () -> browser.text("#notice").contains("Trying again"));
    server = ScriptedServer.start(port);
    server.chat(Feed.of("Here again."));
    browser.await("that it is back", () -> !browser.isShown("#notice"));
    browser.press("Try again");
    browser.await("the answer", "Here again.", browser::answer);
  }
}
