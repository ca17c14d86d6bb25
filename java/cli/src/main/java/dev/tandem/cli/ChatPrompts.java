package dev.tandem.cli;

import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import dev.tandem.text.chat.ChatTemplate;
import dev.tandem.text.chat.ChatTemplateException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;

/**
 * Writes conversations as prompts: today, for an answer.
 *
 * @param file that the template comes from, to be named where it does not work
 */
record ChatPrompts(ChatTemplate template, Path file, Tokenizer tokenizer)
    implements Conversation.Prompts {

  @Override
  public int[] of(List<ChatMessage> messages) {
    try {
      return tokenizer.encodeChat(
          template.render(messages, ChatOptions.at(Clock.systemDefaultZone())));
    } catch (ChatTemplateException e) {
      throw new Failure(file + ": " + e.getMessage());
    }
  }
}
