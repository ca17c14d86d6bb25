package dev.tandem.examples;

import dev.tandem.engine.EngineOptions;
import dev.tandem.engine.Generation;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.Session;
import dev.tandem.engine.TandemModel;
import dev.tandem.engine.sample.SamplingOptions;
import dev.tandem.text.chat.ChatMessage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A conversation: each turn reads only what is new. */
public final class Chat {

  public static void main(String[] arguments) {
    GenerationOptions options = GenerationOptions.of(30, SamplingOptions.greedy());
    List<ChatMessage> messages = new ArrayList<>();
    try (TandemModel model =
            TandemModel.open(Path.of(arguments[0]), EngineOptions.ofThisMachine());
        Session session = model.newSession()) {
      for (String question : List.of("Once upon a time there was a fox.", "Then he met a bear.")) {
        messages.add(ChatMessage.user(question));
        StringBuilder answer = new StringBuilder();
        Generation generation = session.chat(messages, options, answer::append);
        messages.add(ChatMessage.assistant(answer.toString()));
        System.out.println("> " + question);
        System.out.println(answer);
        System.out.printf(
            "(read %d tokens, had %d)%n", generation.promptTokens(), generation.cachedTokens());
      }
    }
  }
}
