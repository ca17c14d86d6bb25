package dev.tandem.cli.load;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.TandemClient;
import dev.tandem.client.TandemException;
import dev.tandem.client.TokenStream;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.TokenIds;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;

/** A Tandem server over its binary protocol, asked by the client that comes with it. */
public final class RpcTarget implements LoadTarget {

  // Behind so many, requests share connections; that is what the protocol is for.
  private static final int CONNECTIONS = 64;

  private final TandemClient client;
  private final ModelInfo model;

  /**
   * @param concurrency requests at the same time
   * @param timeout for connecting, and for every silence
   * @throws TandemException if there is no server
   */
  public RpcTarget(
      String host, int port, Optional<String> token, int concurrency, Duration timeout) {
    ClientOptions.Builder options =
        ClientOptions.to(host, port)
            .clientName("tandem-bench")
            .connections(Math.min(concurrency, CONNECTIONS))
            .answerTimeout(timeout);
    token.ifPresent(options::token);
    client = TandemClient.connect(options.build());
    try {
      model = client.modelInfo();
    } catch (TandemException e) {
      client.close();
      throw e;
    }
  }

  @Override
  public int vocabulary() {
    return model.getVocabulary();
  }

  @Override
  public int contextTokens() {
    return model.getContextTokens();
  }

  @Override
  public Sample run(int[] prompt, int outputTokens) {
    GenerateRequest request =
        GenerateRequest.newBuilder()
            .setTokenIds(
                TokenIds.newBuilder().addAllIds(() -> Arrays.stream(prompt).boxed().iterator()))
            .setSampling(Sampling.newBuilder().setTemperature(0))
            .setMaxTokens(outputTokens)
            .setIgnoreEnd(true)
            .build();
    long sent = System.nanoTime();
    long first = 0;
    int tokens = 0;
    try (TokenStream stream = client.generate(request)) {
      for (var token : stream) {
        if (tokens++ == 0) {
          first = System.nanoTime();
        }
      }
      Finished finished = stream.finished();
      long ended = System.nanoTime();
      boolean cancelled = finished.getReason() == Finished.Reason.CANCELLED;
      return new Sample(
          sent,
          tokens == 0 ? ended : first,
          ended,
          tokens,
          cancelled ? Optional.of("cancelled by the server") : Optional.empty());
    } catch (TandemException e) {
      long ended = System.nanoTime();
      String error = e.code() + ": " + String.valueOf(e.getMessage()).replaceAll("\\d+", "N");
      return new Sample(sent, tokens == 0 ? ended : first, ended, tokens, Optional.of(error));
    }
  }

  @Override
  public void close() {
    client.close();
  }
}
