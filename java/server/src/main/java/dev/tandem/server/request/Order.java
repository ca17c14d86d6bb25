package dev.tandem.server.request;

import dev.tandem.engine.GenerationOptions;
import java.time.Duration;
import java.util.OptionalInt;

/**
 * One text to generate.
 *
 * @param id names the request in logs and answers
 * @param prompt token ids, BOS included where the model wants it
 * @param options with {@link GenerationOptions#UNLIMITED} = until the context is full
 * @param maxTokens as the peer asked; empty = it did not
 * @param priority higher goes first among those that wait
 * @param deadline from now; zero = none
 * @param protocol for metrics: "rpc" or "http"
 */
public record Order(
    String id,
    Caller caller,
    int[] prompt,
    GenerationOptions options,
    OptionalInt maxTokens,
    int priority,
    Duration deadline,
    String protocol) {}
