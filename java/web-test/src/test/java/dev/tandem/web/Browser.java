package dev.tandem.web;

import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.StreamSupport;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.StaleElementReferenceException;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogEntry;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.logging.LoggingPreferences;

/** Chromium without a screen, and what the tests do with the page in it. */
final class Browser implements AutoCloseable {

  /** Held here, since loggers that nobody holds forget their level. */
  private static final Logger SELENIUM = Logger.getLogger("org.openqa.selenium");

  private static final Duration PATIENCE = Duration.ofSeconds(15);

  private final ChromeDriver driver;

  private Browser(ChromeDriver driver) {
    this.driver = driver;
  }

  /**
   * Starts Debian's chromium by its driver; nothing is looked for elsewhere, or downloaded. Where
   * one is missing, the test is left out, or fails if nothing may be ({@code ci/test --all}).
   */
  static Browser start() {
    Path chromium = executable("chromium", "chromium-browser", "google-chrome");
    Path driver = executable("chromedriver");
    ChromeOptions options = new ChromeOptions();
    options.setBinary(chromium.toFile());
    options.addArguments(
        "--headless=new",
        "--no-sandbox", // root, in containers, has none; the pages are ours
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
        "--no-proxy-server",
        "--force-color-profile=srgb",
        "--hide-scrollbars",
        "--lang=en",
        "--window-size=1100,760");
    SELENIUM.setLevel(Level.SEVERE); // it warns of each Chromium that is newer than itself
    LoggingPreferences logs = new LoggingPreferences();
    logs.enable(LogType.BROWSER, Level.ALL);
    options.setCapability("goog:loggingPrefs", logs);
    ChromeDriverService service =
        new ChromeDriverService.Builder()
            .usingDriverExecutable(driver.toFile())
            .usingAnyFreePort()
            .build();
    return new Browser(new ChromeDriver(service, options));
  }

  private static Path executable(String... names) {
    for (String name : names) {
      for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
        Path file = Path.of(folder, name);
        if (Files.isExecutable(file)) {
          return file;
        }
      }
    }
    String message =
        "no %s in PATH: the web page is not tested (apt-get install chromium chromium-driver)"
            .formatted(names[0]);
    return Boolean.getBoolean("tandem.all") || "true".equals(System.getenv("CI"))
        ? fail(message)
        : abort(message);
  }

  ChromeDriver driver() {
    return driver;
  }

  /** Opens the server's page and waits until it knows the model. */
  Browser open(ScriptedServer server) {
    driver.get(server.url());
    await("the model's name", () -> text("#model-name").equals("stories"));
    return this;
  }

  WebElement find(String css) {
    return driver.findElement(By.cssSelector(css));
  }

  List<WebElement> all(String css) {
    return driver.findElements(By.cssSelector(css));
  }

  /** The text that is seen there; "" where nothing is. */
  String text(String css) {
    try {
      return all(css).stream().findFirst().map(WebElement::getText).orElse("");
    } catch (StaleElementReferenceException e) {
      return ""; // it was drawn anew between finding and reading
    }
  }

  boolean isShown(String css) {
    return all(css).stream().findFirst().filter(WebElement::isDisplayed).isPresent();
  }

  void click(String css) {
    await(css, () -> isShown(css));
    find(css).click();
  }

  /** Presses the button with this text. */
  void press(String label) {
    await("button " + label, () -> labelled(label).isPresent());
    labelled(label).orElseThrow().click();
  }

  Optional<WebElement> labelled(String label) {
    return all("button").stream()
        .filter(each -> each.isDisplayed() && each.getText().equals(label))
        .reduce((first, last) -> last);
  }

  /** Types where the focus is. */
  void type(CharSequence... keys) {
    driver.switchTo().activeElement().sendKeys(keys);
  }

  void send(String text) {
    find("#prompt").sendKeys(text, Keys.ENTER);
  }

  /** The text of the last answer. */
  String answer() {
    return text(".turn.assistant:last-child .text");
  }

  Object run(String script, Object... arguments) {
    return driver.executeScript(script, arguments);
  }

  void await(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!holds(condition)) {
      if (System.nanoTime() > end) {
        fail("waited for: " + what + "; the page shows: " + text("body") + "; log: " + log());
      }
      try {
        Thread.sleep(20);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }

  private static boolean holds(BooleanSupplier condition) {
    try {
      return condition.getAsBoolean();
    } catch (StaleElementReferenceException e) {
      return false;
    }
  }

  void await(String what, String expected, Supplier<String> actual) {
    await(what + " = " + expected, () -> actual.get().equals(expected));
  }

  /** What the system prefers, as the page sees it. */
  void prefer(String feature, String value) {
    driver.executeCdpCommand(
        "Emulation.setEmulatedMedia",
        Map.of("features", List.of(Map.of("name", feature, "value", value))));
  }

  void resize(int width, int height, boolean mobile) {
    driver.executeCdpCommand(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", mobile));
  }

  /** What the console has been told since the last call, without notes. */
  List<String> log() {
    return StreamSupport.stream(driver.manage().logs().get(LogType.BROWSER).spliterator(), false)
        .filter(entry -> entry.getLevel().intValue() >= Level.WARNING.intValue())
        .map(LogEntry::getMessage)
        .toList();
  }

  @Override
  public void close() {
    driver.quit();
  }
}
