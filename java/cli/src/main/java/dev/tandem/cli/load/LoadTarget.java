package dev.tandem.cli.load;

/** A server under load, over one of its protocols. Safe for use from many threads. */
public interface LoadTarget extends AutoCloseable {

  /** Tokens of the model, for prompts. */
  int vocabulary();

  /** Tokens of one request, prompt and answer together. */
  int contextTokens();

  /**
   * Sends a request and reads its answer to the end. Failures of the request are in the sample.
   *
   * @param prompt token ids
   */
  Sample run(int[] prompt, int outputTokens);

  @Override
  void close();
}
