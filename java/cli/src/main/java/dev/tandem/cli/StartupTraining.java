package dev.tandem.cli;

import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import dev.tandem.text.chat.ChatTemplate;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.Set;

/**
 * The training run for the start-up archive: {@code bin/tandem} runs this class once per build and
 * JDK, and the JDK records which classes were loaded and, on JDK 25, how they were linked.
 *
 * <p>All commands run in one process, since an archive comes from one process.
 */
final class StartupTraining {

  /** What people do most; each line is a command as typed after {@code tandem}. */
  private static final List<List<String>> COMMANDS =
      List.of(
          List.of("generate", "Once upon a time", "--stats"),
          List.of("generate", "Once upon a time", "-n", "8", "--json"),
          List.of("inspect"),
          List.of("inspect", "--json"),
          List.of("tokenize", "Once upon a time"),
          List.of("template"),
          List.of("--version"),
          List.of("--help"));

  private static final String MESSAGES = "[{\"role\": \"user\", \"content\": \"Hi\"}]";

  /** The built-in model has no chat template; what others' have in common. */
  private static final String TEMPLATE =
      """
      {%- if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% else %}
      {%- set rest = messages %}{% endif %}
      {%- for message in rest -%}
      {{ '<|' + message.role + '|>' ~ message['content'] | trim }}{{ eos_token if loop.last }}
      {%- endfor %}{% if add_generation_prompt and tools is not defined %}{{ '<|assistant|>' }}{% endif %}
      """;

  private StartupTraining() {}

  /** Runs the commands; exits with 1 if one of them fails. */
  public static void main(String[] arguments) {
    OutputStream nowhere = OutputStream.nullOutputStream();
    ChatTemplate.of(TEMPLATE, "<s>", "</s>")
        .render(List.of(ChatMessage.user("Hi")), ChatOptions.at(Clock.systemDefaultZone()));
    for (List<String> command : COMMANDS) {
      InputStream in = new ByteArrayInputStream(MESSAGES.getBytes(StandardCharsets.UTF_8));
      Streams streams = new Streams(in, nowhere, new PrintStream(nowhere), Set.of());
      int code = Main.run(streams, command.toArray(String[]::new));
      if (code != 0) {
        System.out.println("tandem " + String.join(" ", command) + ": exit code " + code);
        System.exit(1);
      }
    }
    System.exit(0);
  }
}
