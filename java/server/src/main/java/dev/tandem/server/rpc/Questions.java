package dev.tandem.server.rpc;

import com.google.protobuf.ByteString;
import dev.tandem.protocol.v1.ApplyTemplateRequest;
import dev.tandem.protocol.v1.ApplyTemplateResponse;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.DetokenizeRequest;
import dev.tandem.protocol.v1.DetokenizeResponse;
import dev.tandem.protocol.v1.Health;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.Pong;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Stats;
import dev.tandem.protocol.v1.TokenizeRequest;
import dev.tandem.protocol.v1.TokenizeResponse;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.BackendLoad;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.DeskTotals;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.text.TextSpan;
import dev.tandem.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Answers what takes one message: everything but Generate. */
final class Questions {

  /** More than this is not made into tokens, or into text, on the event loop. */
  static final int SHORT_TEXT = 1024;

  private static final int LONGEST_PING = 64;

  private final RpcService service;

  Questions(RpcService service) {
    this.service = service;
  }

  /** Whether the event loop should not do it. */
  static boolean takesLong(ClientMessage message) {
    return switch (message.getBodyCase()) {
      case TOKENIZE -> message.getTokenize().getText().length() > SHORT_TEXT;
      case DETOKENIZE -> message.getDetokenize().getIdsCount() > SHORT_TEXT;
      case APPLY_TEMPLATE -> true; // a template is a program
      default -> false;
    };
  }

  /**
   * The answer.
   *
   * @throws Refusal if there is none
   */
  ServerMessage answer(ClientMessage message) {
    ServerMessage.Builder answer = ServerMessage.newBuilder().setRequestId(message.getRequestId());
    switch (message.getBodyCase()) {
      case TOKENIZE -> answer.setTokenize(tokenized(message.getTokenize()));
      case DETOKENIZE -> answer.setDetokenize(detokenized(message.getDetokenize()));
      case APPLY_TEMPLATE -> answer.setApplyTemplate(applied(message.getApplyTemplate()));
      case MODEL_INFO -> answer.setModelInfo(modelInfo());
      case HEALTH -> answer.setHealth(health());
      case STATS -> answer.setStats(stats());
      case PING -> answer.setPong(pong(message.getPing()));
      case HELLO, GENERATE, CANCEL, BODY_NOT_SET ->
          throw new IllegalArgumentException("no question: " + message.getBodyCase());
    }
    return answer.build();
  }

  private TokenizeResponse tokenized(TokenizeRequest request) {
    Tokenizer tokenizer = service.desk().ready().tokenizer();
    TokenizeResponse.Builder response = TokenizeResponse.newBuilder();
    if (request.getAddBegin()) {
      IntStream.of(tokenizer.beginTokens()).forEach(response::addIds);
    }
    IntStream.of(tokenizer.encode(request.getText(), request.getParseSpecial()))
        .forEach(response::addIds);
    return response.build();
  }

  private DetokenizeResponse detokenized(DetokenizeRequest request) {
    Tokenizer tokenizer = service.desk().ready().tokenizer();
    int[] ids = GenerateReader.ids(request.getIdsList(), tokenizer.vocabulary().size());
    // What is no whole character becomes U+FFFD: a string of this protocol is always UTF-8.
    return DetokenizeResponse.newBuilder()
        .setText(new String(tokenizer.decode(ids), StandardCharsets.UTF_8))
        .build();
  }

  private ApplyTemplateResponse applied(ApplyTemplateRequest request) {
    Backend backend = service.desk().ready();
    List<TextSpan> prompt = GenerateReader.rendered(request.getConversation(), backend);
    ApplyTemplateResponse.Builder response =
        ApplyTemplateResponse.newBuilder()
            .setPrompt(prompt.stream().map(TextSpan::text).collect(Collectors.joining()));
    IntStream.of(backend.tokenizer().encodeChat(prompt)).forEach(response::addIds);
    return response.build();
  }

  /** Also while the server drains. */
  private ModelInfo modelInfo() {
    return Wire.modelInfo(service.desk().backend().orElseGet(() -> service.desk().ready()).card());
  }

  private Health health() {
    Desk desk = service.desk();
    return Health.newBuilder()
        .setState(
            switch (desk.state()) {
              case LOADING -> Health.State.LOADING;
              case READY -> Health.State.READY;
              case DRAINING -> Health.State.DRAINING;
              case FAILED -> Health.State.FAILED;
            })
        .setDetail(desk.detail())
        .build();
  }

  private Stats stats() {
    DeskTotals totals = service.desk().totals();
    Stats.Builder stats =
        Stats.newBuilder()
            .setRequestsTotal(totals.requests())
            .setPromptTokensTotal(totals.promptTokens())
            .setGeneratedTokensTotal(totals.generatedTokens())
            .setConnections(service.connections().open())
            .setUptimeMillis(totals.uptime().toMillis());
    service
        .desk()
        .backend()
        .map(Backend::load)
        .ifPresent((BackendLoad load) ->
            stats
                .setRunning(load.running())
                .setWaiting(load.waiting())
                .setKvTokens(load.kvTokens())
                .setKvTokensUsed(load.kvTokensUsed()));
    return stats.build();
  }

  private static Pong pong(Ping ping) {
    ByteString payload = ping.getPayload();
    if (payload.size() > LONGEST_PING) {
      throw Refusal.of(
          Problem.INVALID_ARGUMENT,
          "payload",
          "ping: a payload of %d bytes is too long; at most %d"
              .formatted(payload.size(), LONGEST_PING));
    }
    return Pong.newBuilder().setPayload(payload).build();
  }
}
