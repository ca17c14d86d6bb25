package dev.tandem.server.rpc;

import com.google.protobuf.ByteString;
import dev.tandem.engine.GenerationOptions;
import dev.tandem.engine.sample.TokenProbabilities;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Started;
import dev.tandem.protocol.v1.Token;
import dev.tandem.protocol.v1.TokenProbability;
import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Order;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Problem;
import dev.tandem.server.request.Refusal;
import dev.tandem.server.request.Reply;
import dev.tandem.server.request.Ticket;
import dev.tandem.text.Vocabulary;
import java.time.Duration;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One Generate: makes an order of it, and messages of what becomes of that. Its end is said exactly
 * once, whoever ends it.
 *
 * <pre>
 *   Generate -->        --> Started, Token*, Finished     or Error, at any place
 * </pre>
 */
final class GenerateCall implements RpcConnection.Call, Reply {

  private static final int LONGEST_CLIENT_ID = 256;
  // Deadlines beyond it are none.
  private static final long LONGEST_DEADLINE_MILLIS = Duration.ofDays(365).toMillis();

  private final RpcConnection connection;
  private final long id;
  private final long arrived = System.nanoTime();
  private boolean cancelled; // guarded by this
  private Optional<Ticket> ticket = Optional.empty(); // guarded by this
  private int promptTokens; // written before the order is given
  private long seed;
  private Optional<Vocabulary> vocabulary = Optional.empty();

  GenerateCall(RpcConnection connection, long id) {
    this.connection = connection;
    this.id = id;
  }

  /** Begins on the event loop; what takes long goes on on another thread. */
  void begin(GenerateRequest request) {
    if (GenerateReader.length(request) <= Questions.SHORT_TEXT) {
      order(request);
    } else {
      try {
        connection.apart(id, request, () -> order(request));
      } catch (Refusal e) {
        failed(e);
      }
    }
  }

  private void order(GenerateRequest request) {
    try {
      Backend backend = connection.desk().ready();
      GenerationOptions options = GenerateReader.options(request, backend);
      OptionalInt maxTokens = GenerateReader.maxTokens(request, backend.card());
      if (request.getClientId().length() > LONGEST_CLIENT_ID) {
        throw Refusal.of(
            Problem.INVALID_ARGUMENT,
            "client_id",
            "client_id: %d characters are too many; up to %d are possible"
                .formatted(request.getClientId().length(), LONGEST_CLIENT_ID));
      }
      int[] prompt = GenerateReader.prompt(request, backend);
      promptTokens = prompt.length;
      seed = options.sampling().seed();
      vocabulary = Optional.of(backend.tokenizer().vocabulary());
      submit(
          new Order(
              connection.name(id),
              connection.caller().forClient(request.getClientId()),
              prompt,
              options,
              maxTokens,
              request.getPriority(),
              deadline(request.getDeadlineMillis()),
              "rpc"));
    } catch (Refusal e) {
      failed(e);
    } catch (Throwable e) { // errors too: nobody shall wait for ever
      failed(connection.defect(id, e));
    }
  }

  /** What is left of it: it began when the request came. */
  private Duration deadline(long millis) {
    if (millis <= 0 || millis > LONGEST_DEADLINE_MILLIS) { // without sign: negative = very long
      return Duration.ZERO;
    }
    Duration left = Duration.ofMillis(millis).minusNanos(System.nanoTime() - arrived);
    return left.isZero() ? Duration.ofNanos(-1) : left;
  }

  private synchronized void submit(Order order) {
    if (cancelled) {
      connection.end(id, Wire.cancelled(id));
    } else {
      ticket = Optional.of(connection.desk().submit(order, this));
    }
  }

  @Override
  public synchronized void cancel() {
    cancelled = true;
    ticket.ifPresent(Ticket::cancel);
  }

  @Override
  public void started() {
    connection.send(
        message()
            .setStarted(Started.newBuilder().setPromptTokens(promptTokens).setSeed(seed))
            .build());
  }

  @Override
  public void token(
      int token, byte[] utf8, int length, Optional<TokenProbabilities> probabilities) {
    connection.awaitReader();
    Token.Builder said = Token.newBuilder().setId(token);
    if (length > 0) {
      said.setTextBytes(ByteString.copyFrom(utf8, 0, length));
    }
    if (probabilities.isPresent()) {
      said.setProbability(probability(probabilities.get().chosen()));
      for (TokenProbabilities.TokenProbability likely : probabilities.get().top()) {
        said.addTop(probability(likely));
      }
    }
    connection.send(message().setToken(said).build());
  }

  private TokenProbability probability(TokenProbabilities.TokenProbability likely) {
    Vocabulary tokens = vocabulary.orElseThrow();
    return TokenProbability.newBuilder()
        .setId(likely.id())
        .setText(likely.id() < tokens.size() ? tokens.text(likely.id()) : "") // an unused row
        .setLog(likely.log())
        .build();
  }

  @Override
  public void finished(Outcome outcome) {
    connection.end(id, Wire.finished(id, outcome));
  }

  @Override
  public void failed(Refusal refusal) {
    connection.end(id, Wire.error(id, refusal));
  }

  private ServerMessage.Builder message() {
    return ServerMessage.newBuilder().setRequestId(id);
  }
}
