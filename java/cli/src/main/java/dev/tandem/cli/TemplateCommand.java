package dev.tandem.cli;

import dev.tandem.model.gguf.GgufFile;
import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.text.TextSpan;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import dev.tandem.text.chat.ChatTemplate;
import dev.tandem.text.chat.ChatTemplateException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code tandem template}: a conversation as the prompt that a model reads. */
@Command(
    name = "template",
    customSynopsis = "tandem template [OPTIONS]",
    description = {
      "Shows a conversation as a prompt.",
      "",
      "Reads a JSON list of messages, each with a role (system, user, assistant ...) and a content,"
          + " and prints what the model's chat template makes of them, and nothing else. For a"
          + " model without a template that is the contents, joined by line feeds."
    },
    footer = {
      "",
      "Examples:",
      "  tandem template -m model.gguf -f messages.json",
      "  tandem template -m model.gguf --chat-template mine.jinja -f messages.json",
      "  echo '[{\"role\":\"user\",\"content\":\"Hi\"}]' | tandem template -m model.gguf"
    })
final class TemplateCommand implements Callable<Integer> {

  private final Streams streams;
  @Mixin private ModelOptions model;

  @Option(
      names = {"-f", "--file"},
      paramLabel = "FILE",
      description = "Read the messages from a file. Default: standard input.")
  private Optional<Path> file = Optional.empty();

  @Option(
      names = "--chat-template",
      paramLabel = "FILE",
      description = "Use the template in this file (Jinja) instead of the model's.")
  private Optional<Path> templateFile = Optional.empty();

  @Option(
      names = "--no-generation-prompt",
      description = "End with the last message, not where an answer begins.")
  private boolean noGenerationPrompt;

  @Option(
      names = "--no-thinking",
      description = "Tell the template that the model should answer without reasoning first.")
  private boolean noThinking;

  TemplateCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() {
    Path modelFile = model.file();
    GgufMetadata metadata = GgufFile.open(modelFile).metadata();
    ChatTemplate template =
        templateFile
            .map(path -> ChatTemplate.of(new TextInput(streams).text(templateFile), metadata))
            .or(() -> ChatTemplate.of(metadata))
            .orElseGet(ChatTemplate::plain);
    List<ChatMessage> messages = ConversationFile.read(new TextInput(streams), file);
    ChatOptions options =
        ChatOptions.at(Clock.systemDefaultZone())
            .withGenerationPrompt(!noGenerationPrompt)
            .withThinking(!noThinking);
    StringBuilder prompt = new StringBuilder();
    try {
      template.render(messages, options).stream().map(TextSpan::text).forEach(prompt::append);
    } catch (ChatTemplateException e) {
      throw new Failure(templateFile.orElse(modelFile) + ": " + e.getMessage());
    }
    if (template.isBaseModel()) {
      streams.note(
          "tandem: "
              + modelFile
              + " has no chat template: the contents are joined by line feeds, without roles");
    }
    streams.print(prompt.toString());
    return 0;
  }
}
