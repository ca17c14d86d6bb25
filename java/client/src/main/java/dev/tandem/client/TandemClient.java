package dev.tandem.client;

import dev.tandem.protocol.Loops;
import dev.tandem.protocol.v1.ApplyTemplateRequest;
import dev.tandem.protocol.v1.ApplyTemplateResponse;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.Conversation;
import dev.tandem.protocol.v1.DetokenizeRequest;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Health;
import dev.tandem.protocol.v1.HealthRequest;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.ModelInfoRequest;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.ServerMessage.BodyCase;
import dev.tandem.protocol.v1.Stats;
import dev.tandem.protocol.v1.StatsRequest;
import dev.tandem.protocol.v1.TokenizeRequest;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Flow;

/**
 * A Tandem server, asked over its binary protocol. One client serves a whole program: it is for any
 * number of threads, platform or virtual, and keeps connections for them.
 *
 * <p>Methods that wait throw {@link TandemException} when the request fails, and {@link
 * CancellationException} when their thread is interrupted.
 *
 * <p>A consumer that does not keep up with its generation holds up at first nobody: what comes is
 * kept, up to {@link ClientOptions.Builder#bufferedEvents}. Then the client stops reading from that
 * connection, up to 16 KiB later, and with it rest the other requests on the same connection, until
 * half of the buffer is taken; the server in turn pauses the request, and gives it up when that
 * lasts long. While there are fewer requests than {@link ClientOptions.Builder#connections}, each
 * has a connection of its own.
 */
public final class TandemClient implements AutoCloseable {

  private final Loops loops = new Loops(1, new DefaultThreadFactory("tandem-client", true));
  private final Requests requests;
  private final Pool pool;

  /** User code runs on threads of its own: it may block. */
  private final Executor callbacks = task -> Thread.ofVirtual().name("tandem-callback").start(task);

  private TandemClient(ClientOptions options, Lookup.Resolver resolver) {
    EventLoop loop = loops.group().next();
    try {
      pool = new Pool(loop, options, new Connector(loops, options, resolver));
    } catch (TandemException e) {
      loops.close();
      throw e;
    }
    requests = new Requests(loop, options, pool);
  }

  /**
   * Connects, by one attempt. Later, requests connect again by themselves where it is needed.
   *
   * @throws TandemException if there is no server, or it does not want this client
   */
  public static TandemClient connect(ClientOptions options) {
    return connect(options, InetAddress::getAllByName);
  }

  static TandemClient connect(ClientOptions options, Lookup.Resolver resolver) {
    TandemClient client = new TandemClient(options, resolver);
    try {
      CompletableFuture<Connection> first = new CompletableFuture<>();
      client
          .requests
          .loop()
          .execute(() ->
              client
                  .pool
                  .first()
                  .addListener((Future<Connection> made) -> {
                    if (made.isSuccess()) {
                      first.complete(made.getNow());
                    } else {
                      first.completeExceptionally(made.cause());
                    }
                  }));
      await(first);
      return client;
    } catch (RuntimeException e) {
      client.close();
      throw e;
    }
  }

  /** Generates a text, token by token, for the thread that takes them. */
  public TokenStream generate(GenerateRequest request) {
    return new TokenStream(requests.generate(request, () -> {}), requests);
  }

  /** Generates a text. To cancel the future, or to let it time out, cancels it. */
  public CompletableFuture<Completion> complete(GenerateRequest request) {
    Collecting collecting = new Collecting();
    publisher(request).subscribe(collecting);
    return collecting.done();
  }

  /**
   * Generates a text for each subscriber that comes, and tells it no more events than it asked for.
   * Its methods are called on virtual threads of the client, one at a time, and may block.
   */
  public Flow.Publisher<TokenEvent> publisher(GenerateRequest request) {
    return new EventPublisher(requests, request, callbacks);
  }

  /**
   * The token ids of a text, as it is: without what the model wants at its beginning, and names of
   * special tokens are plain text.
   */
  public List<Integer> tokenize(String text) {
    return tokenize(TokenizeRequest.newBuilder().setText(text).build());
  }

  /** The token ids of a text. */
  public List<Integer> tokenize(TokenizeRequest request) {
    return ask(ClientMessage.newBuilder().setTokenize(request), BodyCase.TOKENIZE)
        .getTokenize()
        .getIdsList();
  }

  /** The text of tokens. */
  public String detokenize(Iterable<Integer> ids) {
    DetokenizeRequest request = DetokenizeRequest.newBuilder().addAllIds(ids).build();
    return ask(ClientMessage.newBuilder().setDetokenize(request), BodyCase.DETOKENIZE)
        .getDetokenize()
        .getText();
  }

  /** A conversation as the model's template writes it. */
  public ApplyTemplateResponse applyTemplate(Conversation conversation) {
    ApplyTemplateRequest request =
        ApplyTemplateRequest.newBuilder().setConversation(conversation).build();
    return ask(ClientMessage.newBuilder().setApplyTemplate(request), BodyCase.APPLY_TEMPLATE)
        .getApplyTemplate();
  }

  /** What the server runs. */
  public ModelInfo modelInfo() {
    return ask(
            ClientMessage.newBuilder().setModelInfo(ModelInfoRequest.getDefaultInstance()),
            BodyCase.MODEL_INFO)
        .getModelInfo();
  }

  /** Whether the server is ready. */
  public Health health() {
    return ask(
            ClientMessage.newBuilder().setHealth(HealthRequest.getDefaultInstance()),
            BodyCase.HEALTH)
        .getHealth();
  }

  /** What the server does, and has done. */
  public Stats stats() {
    return ask(
            ClientMessage.newBuilder().setStats(StatsRequest.getDefaultInstance()), BodyCase.STATS)
        .getStats();
  }

  /** The time to the server and back. */
  public Duration ping() {
    long start = System.nanoTime();
    ask(ClientMessage.newBuilder().setPing(Ping.getDefaultInstance()), BodyCase.PONG);
    return Duration.ofNanos(System.nanoTime() - start);
  }

  /** Asks what has one answer, and waits for it. */
  private ServerMessage ask(ClientMessage.Builder question, BodyCase expected) {
    AskCall call = new AskCall(requests.loop(), requests.options(), question.build());
    requests.submit(call);
    ServerMessage answer;
    try {
      answer = await(call.answer());
    } catch (CancellationException e) {
      requests.abandon(call);
      throw e;
    }
    if (answer.getBodyCase() != expected) {
      throw TandemException.lasting(
          ErrorCode.UNSUPPORTED,
          "the server answered %s by %s".formatted(question.getBodyCase(), answer.getBodyCase()));
    }
    return answer;
  }

  /** Ends all requests and connections; returns when they have ended. */
  @Override
  public void close() {
    requests.close();
    loops.close();
  }

  private static <T> T await(CompletableFuture<T> answer) {
    try {
      return answer.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("interrupted; the request is given up");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof TandemException failure) {
        throw failure.because(failure); // with the stack of the thread that asked
      }
      throw new IllegalStateException(e.getCause());
    }
  }
}
