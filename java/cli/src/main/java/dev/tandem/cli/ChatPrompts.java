package dev.tandem.cli;

import dev.tandem.text.Tokenizer;
import dev.tandem.text.chat.ChatMessage;
import dev.tandem.text.chat.ChatOptions;
import dev.tandem.text.chat.ChatTemplate;
import java.time.Clock;
import java.util.List;

/** Writes conversations as prompts: today, for an answer. */
record ChatPrompts(ChatTemplate template, Tokenizer tokenizer) implements Conversation.Prompts {

  @Override
  public int[] of(List<ChatMessage> messages) {
    return tokenizer.encodeChat(
        template.render(messages, ChatOptions.at(Clock.systemDefaultZone())));
  }
}
