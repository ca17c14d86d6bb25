package dev.tandem.server.request;

import dev.tandem.engine.sample.SamplingOptions;

/**
 * What to tell of a model.
 *
 * @param name for people and for the {@code model} of requests
 * @param architecture "llama"
 * @param format of most weights: "Q4_0"
 * @param contextTokens of one request, prompt and answer together
 * @param vocabulary tokens
 * @param placement where it is computed: "cpu avx512, 2 threads"
 * @param sampling what a request has that says nothing
 * @param createdSeconds of the file, in seconds since 1970
 */
public record ModelCard(
    String name,
    String architecture,
    String format,
    long parameters,
    int contextTokens,
    int vocabulary,
    boolean hasChatTemplate,
    String placement,
    SamplingOptions sampling,
    long createdSeconds) {

  ModelCard withPlacement(String where) {
    return new ModelCard(
        name,
        architecture,
        format,
        parameters,
        contextTokens,
        vocabulary,
        hasChatTemplate,
        where,
        sampling,
        createdSeconds);
  }
}
