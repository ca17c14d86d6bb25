package dev.tandem.acceptance;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.abort;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * OpenAI's own client for Python, in a virtual environment under {@code build/}, which is made when
 * it is not there. Where that fails (no Python, no network) the test is left out, in CI it fails.
 */
@Timeout(600)
final class PythonSdkTest {

  private static final String VERSION = "3.54.0";
  private static final Path ENVIRONMENT = StoryServer.root().resolve("build/openai-" + VERSION);
  private static final Path PYTHON = ENVIRONMENT.resolve("bin/python");

  @Test
  void theClientWorks() throws Exception {
    Path made = ENVIRONMENT.resolve("made");
    if (!Files.exists(made)) {
      Files.createDirectories(ENVIRONMENT.getParent());
      require(Shell.run("python3", "-m", "venv", ENVIRONMENT.toString()));
      require(Shell.run(PYTHON.toString(), "-m", "pip", "install", "-q", "openai==" + VERSION));
      Files.createFile(made);
    }
    try (StoryServer server = StoryServer.start()) {
      Shell.Result result =
          Shell.run(PYTHON.toString(), "src/test/python/openai_sdk.py", server.url());
      assertEquals("passed", result.output().strip());
      server.awaitIdle();
    }
  }

  private static void require(Shell.Result result) {
    if (result.status() != 0) {
      String why = "openai %s cannot be installed: %s".formatted(VERSION, result.output());
      if ("true".equals(System.getenv("CI"))) {
        fail(why);
      }
      abort(why);
    }
  }
}
