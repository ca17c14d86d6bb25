package dev.tandem.cli;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.TandemClient;
import dev.tandem.client.TandemException;
import dev.tandem.client.TokenStream;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.protocol.v1.ApplyTemplateResponse;
import dev.tandem.protocol.v1.Conversation;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Message;
import dev.tandem.protocol.v1.Token;
import dev.tandem.protocol.v1.TokenIds;
import dev.tandem.protocol.v1.TokenizeRequest;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * {@code tandem generate --connect}: a server continues the text.
 *
 * @param request all but the prompt
 */
record RemoteGenerate(
    Streams streams, ClientOptions server, GenerateRequest request, Presentation presentation) {

  /**
   * What goes in, and how it comes out.
   *
   * @param system what is said before the message, in a conversation
   * @param special names of special tokens in the prompt are those tokens
   */
  record Presentation(
      String prompt,
      boolean chat,
      Optional<String> system,
      boolean special,
      boolean hidePrompt,
      boolean stats,
      boolean json,
      boolean quiet) {}

  /** With what was asked for in the engine's words. */
  static RemoteGenerate of(
      Streams streams, ClientOptions server, GenerationOptions asked, Presentation presentation) {
    GenerateRequest.Builder request =
        GenerateRequest.newBuilder()
            .setSampling(RemoteSampling.of(asked.sampling()))
            .addAllStop(asked.stop())
            .setIgnoreEnd(asked.ignoreEnd());
    if (asked.maxTokens() != GenerationOptions.UNLIMITED) {
      request.setMaxTokens(asked.maxTokens());
    }
    if (asked.logProbabilities() != GenerationOptions.NONE) {
      request.setLogProbabilities(asked.logProbabilities());
    }
    return new RemoteGenerate(streams, server, request.build(), presentation);
  }

  /** Does it; returns the exit code. */
  int run() {
    try (TandemClient client = TandemClient.connect(server)) {
      return run(client);
    } catch (TandemException e) {
      throw new Failure(message(e));
    }
  }

  private int run(TandemClient client) {
    RemoteReport report = new RemoteReport(server, client.modelInfo(), request.getSampling());
    if (!presentation.quiet()) {
      streams.note(report.headline());
    }
    GenerateRequest whole = withPrompt(client);
    List<Token> tokens = new ArrayList<>();
    StringBuilder text = new StringBuilder();
    try (TokenStream stream = client.generate(whole);
        Interrupt interrupt = new Interrupt(stream::cancel)) {
      Finished finished = presentation.json() ? collect(stream, tokens, text) : print(stream);
      if (presentation.json()) {
        streams.print(
            Json.text(
                report.document(
                    presentation.prompt(),
                    whole.getTokenIds().getIdsList(),
                    text.append(finished.getText()).toString(),
                    tokens,
                    finished)));
      }
      if (presentation.stats() || interrupt.happened() && !presentation.quiet()) {
        streams.note(report.statistics(finished));
      }
      return interrupt.happened() ? Interrupt.EXIT_CODE : 0;
    }
  }

  private static Finished collect(TokenStream stream, List<Token> tokens, StringBuilder text) {
    for (Token token : stream) {
      tokens.add(token);
      text.append(token.getText());
    }
    return stream.finished();
  }

  private Finished print(TokenStream stream) {
    stream.started();
    if (!presentation.chat() && !presentation.hidePrompt()) {
      streams.print(presentation.prompt());
    }
    try {
      for (Token token : stream) {
        write(token.getText());
      }
      Finished finished = stream.finished();
      write(finished.getText());
      return finished;
    } finally {
      if (streams.isTerminal(Streams.Kind.OUT)) {
        streams.print("\n"); // so that what follows begins a line; a file gets the text alone
      }
    }
  }

  private void write(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    streams.write(utf8, 0, utf8.length);
  }

  /** Where ids are needed, the server is asked for them first. */
  private GenerateRequest withPrompt(TandemClient client) {
    GenerateRequest.Builder whole = request.toBuilder();
    if (presentation.chat()) {
      Conversation conversation = conversation();
      if (!presentation.json()) {
        return whole.setConversation(conversation).build();
      }
      ApplyTemplateResponse written = client.applyTemplate(conversation);
      return whole.setTokenIds(TokenIds.newBuilder().addAllIds(written.getIdsList())).build();
    }
    if (!presentation.json() && !presentation.special()) {
      return whole.setText(presentation.prompt()).build();
    }
    List<Integer> ids =
        client.tokenize(
            TokenizeRequest.newBuilder()
                .setText(presentation.prompt())
                .setParseSpecial(presentation.special())
                .setAddBegin(true)
                .build());
    return whole.setTokenIds(TokenIds.newBuilder().addAllIds(ids)).build();
  }

  private Conversation conversation() {
    Conversation.Builder conversation = Conversation.newBuilder();
    presentation.system().ifPresent(text -> conversation.addMessages(message("system", text)));
    return conversation.addMessages(message("user", presentation.prompt())).build();
  }

  private static Message message(String role, String content) {
    return Message.newBuilder().setRole(role).setContent(content).build();
  }

  /** What the server says names no server, and knows no options of this command. */
  private String message(TandemException failure) {
    String message = Printable.line(String.valueOf(failure.getMessage()), 1000);
    if (!message.contains(server.address())) {
      message = server.address() + ": " + message;
    }
    if (failure.code() == ErrorCode.UNAUTHENTICATED) {
      message += " (--token-file, or TANDEM_TOKEN)";
    }
    Optional<Duration> after = failure.retryAfter();
    return after.isEmpty()
        ? message
        : message + "; try again in " + Quantities.fixed(after.get().toMillis() / 1e3, 1) + " s";
  }
}
