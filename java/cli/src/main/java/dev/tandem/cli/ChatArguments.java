package dev.tandem.cli;

import dev.tandem.model.Model;
import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatTemplate;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import picocli.CommandLine.Option;

/** How a conversation begins and is written: options of all commands that have one. */
final class ChatArguments {

  @Option(
      names = "--system",
      paramLabel = "TEXT",
      description = "The system message: what the model should be like.")
  private Optional<String> system = Optional.empty();

  @Option(
      names = "--chat-template",
      paramLabel = "FILE",
      description = "A chat template, in the language of Jinja, instead of the model's own.")
  private Optional<Path> template = Optional.empty();

  /** The options that were named. */
  List<String> named() {
    return Stream.concat(
            system.stream().map(text -> "--system"),
            template.stream().map(file -> "--chat-template"))
        .toList();
  }

  /** The system message. */
  Optional<String> system() {
    return system;
  }

  /** What is said before the first message. */
  List<ChatMessage> begin() {
    return system.map(ChatMessage::system).stream().toList();
  }

  /** The template that was named, or the model's own, or what stands in for one. */
  ChatTemplate template(Model model, Streams streams) {
    if (template.isPresent()) {
      return ChatTemplate.of(new TextInput(streams).text(template), model.file().metadata());
    }
    return ChatTemplate.of(model.file().metadata()).orElseGet(ChatTemplate::plain);
  }

  /** How {@link #template} writes conversations for the model of this file. */
  ChatPrompts prompts(ChatTemplate chosen, Path model, Tokenizer tokenizer) {
    return new ChatPrompts(chosen, template.orElse(model), tokenizer);
  }

  /** The tokens of a conversation in which a user has said one thing. */
  int[] tokens(ChatPrompts prompts, String message) {
    List<ChatMessage> messages = new ArrayList<>(begin());
    messages.add(ChatMessage.user(message));
    return prompts.of(messages);
  }

  /** What to say of a model that was hardly trained for conversations. */
  static Optional<String> warning(Model model, ChatTemplate template) {
    return template.isBaseModel()
        ? Optional.of(
            "tandem: "
                + Printable.line(model.name())
                + " has no chat template: messages are joined by line feeds, without roles")
        : Optional.empty();
  }
}
