package dev.tandem.text.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.GgufValue;
import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * Who does not render a template does not load Jinjava, nor anything that it brings: they take a
 * tenth of a second to load.
 */
class LazyLoadingTest {
  private static final List<String> OURS = List.of("java/text", "java/model", "tandem-model");

  @Test
  void modelsAreOpenedAndPlainConversationsRenderedWithoutJinjava()
      throws IOException, InterruptedException {
    String classPath =
        Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
            .filter(entry -> OURS.stream().anyMatch(entry::contains))
            .collect(Collectors.joining(File.pathSeparator));
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                classPath,
                Opening.class.getName())
            .redirectErrorStream(true)
            .start();
    String printed = new String(process.getInputStream().readAllBytes());
    assertEquals(0, process.waitFor(), printed);
    assertEquals("ok", printed.strip());
  }

  /** Run in a process that has no other libraries. */
  static final class Opening {
    private Opening() {}

    public static void main(String[] arguments) {
      String key = "tokenizer.chat_template";
      GgufMetadata metadata =
          new GgufMetadata(Path.of("x"), Map.of(key, new GgufValue.TextValue("x")));
      boolean opened = !ChatTemplate.of(metadata).orElseThrow().isBaseModel();
      ChatOptions options = ChatOptions.at(LocalDateTime.MIN);
      boolean rendered =
          ChatTemplate.plain().render(List.of(ChatMessage.user("x")), options).size() == 1;
      System.out.println(opened && rendered ? "ok" : "wrong");
    }
  }
}
