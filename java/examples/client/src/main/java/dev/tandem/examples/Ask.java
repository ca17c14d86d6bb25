package dev.tandem.examples;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.Completion;
import dev.tandem.client.TandemClient;
import dev.tandem.client.TandemException;
import dev.tandem.client.TokenEvent;
import dev.tandem.client.TokenStream;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.Token;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Flow;
import java.util.stream.Stream;

/** Asks a server in three ways: the arguments are its host and port. */
public final class Ask {

  public static void main(String[] arguments) throws Exception {
    ClientOptions server =
        ClientOptions.to(arguments[0], Integer.parseInt(arguments[1]))
            .token(System.getenv().getOrDefault("TANDEM_TOKEN", ""))
            .build();
    try (TandemClient client = TandemClient.connect(server)) {
      System.out.println("The model is " + client.modelInfo().getName() + ".");
      tokenByToken(client);
      manyAtOnce(client);
      asItIsWanted(client);
    } catch (TandemException e) {
      System.err.println(e.code() + ": " + e.getMessage() + (e.retry() ? " (try again)" : ""));
      System.exit(1);
    }
  }

  /** The thread waits for each token. Leaving the block early would cancel the generation. */
  private static void tokenByToken(TandemClient client) {
    System.out.print("Once upon a time");
    try (TokenStream tokens = client.generate(greedy("Once upon a time", 20))) {
      for (Token token : tokens) {
        System.out.print(token.getText());
      }
      System.out.println(tokens.finished().getText()); // held back: a stop string might have begun
      System.out.println(tokens.finished().getUsage().getGeneratedTokens() + " tokens");
    }
  }

  /** They share the server's batch; nobody waits for the first before the second begins. */
  private static void manyAtOnce(TandemClient client) {
    List<CompletableFuture<Completion>> answers =
        Stream.of("The dog", "The cat", "The bird")
            .map(beginning -> client.complete(greedy(beginning, 8)))
            .toList();
    answers.forEach(answer -> System.out.println("..." + answer.join().text()));
  }

  /** A subscriber is told no more than it has asked for: here one event after the other. */
  private static void asItIsWanted(TandemClient client) throws InterruptedException {
    CountDownLatch done = new CountDownLatch(1);
    client
        .publisher(greedy("One day", 12))
        .subscribe(
            new Flow.Subscriber<TokenEvent>() {
              private Flow.Subscription subscription;

              @Override
              public void onSubscribe(Flow.Subscription with) {
                subscription = with;
                with.request(1);
              }

              @Override
              public void onNext(TokenEvent event) {
                System.out.print(event.text());
                subscription.request(1);
              }

              @Override
              public void onError(Throwable failure) {
                System.out.println(failure.getMessage());
                done.countDown();
              }

              @Override
              public void onComplete() {
                System.out.println();
                done.countDown();
              }
            });
    done.await();
  }

  private static GenerateRequest greedy(String text, int tokens) {
    return GenerateRequest.newBuilder()
        .setText(text)
        .setSampling(Sampling.newBuilder().setTemperature(0))
        .setMaxTokens(tokens)
        .build();
  }
}
