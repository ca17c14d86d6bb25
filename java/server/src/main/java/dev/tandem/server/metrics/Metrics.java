package dev.tandem.server.metrics;

import dev.tandem.server.request.BackendLoad;
import dev.tandem.server.request.DeskObserver;
import dev.tandem.server.request.Order;
import dev.tandem.server.request.Outcome;
import dev.tandem.server.request.Refusal;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * Counts what happens, and tells it in Prometheus' text format. {@code docs/http.md} has the table
 * of all names. Labels have few values: protocols, outcomes, paths of the API, and the tenants of
 * the token file; nothing that a client can choose.
 */
public final class Metrics implements DeskObserver, AutoCloseable {

  private static final String PROTOCOL = "protocol";

  // Milliseconds to minutes: a first token takes as long as a prompt is long.
  private static final Duration[] WAITS =
      millis(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000, 60_000, 300_000);
  private static final Duration[] STEPS =
      millis(1, 2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000);

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final Map<String, AtomicInteger> connections = new ConcurrentHashMap<>();
  private final Counter refused =
      Counter.builder("tandem.connections.refused")
          .description("Connections that were refused because too many were open")
          .register(registry);
  private final JvmGcMetrics collector = new JvmGcMetrics();

  /**
   * @param load how busy the model is, once it is loaded; is asked at each scrape
   */
  public Metrics(Supplier<Optional<BackendLoad>> load) {
    gauge(
        "tandem.requests.running", "Requests that take part in steps", load, BackendLoad::running);
    gauge("tandem.requests.waiting", "Requests that wait for room", load, BackendLoad::waiting);
    gauge("tandem.batch.size", "Requests in the last step", load, BackendLoad::lastBatch);
    gauge("tandem.kv.tokens", "Positions of the KV cache", load, BackendLoad::kvTokens);
    gauge(
        "tandem.kv.tokens.used",
        "Positions of the KV cache in blocks that are taken",
        load,
        BackendLoad::kvTokensUsed);
    Gauge.builder("tandem.netty.direct.memory", Metrics::nettyDirectBytes)
        .description("Memory outside the heap that buffers of connections have")
        .baseUnit("bytes")
        .register(registry);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    new UptimeMetrics().bindTo(registry);
    collector.bindTo(registry);
  }

  private void gauge(
      String name,
      String description,
      Supplier<Optional<BackendLoad>> load,
      ToDoubleFunction<BackendLoad> value) {
    Gauge.builder(name, () -> load.get().map(value::applyAsDouble).orElse(0.0))
        .description(description)
        .register(registry);
  }

  private static double nettyDirectBytes() {
    return ByteBufAllocator.DEFAULT instanceof ByteBufAllocatorMetricProvider provider
        ? provider.metric().usedDirectMemory()
        : 0;
  }

  private static Duration[] millis(long... values) {
    Duration[] times = new Duration[values.length];
    for (int i = 0; i < times.length; i++) {
      times[i] = Duration.ofMillis(values[i]);
    }
    return times;
  }

  /** All metrics, in Prometheus' text format, version 0.0.4. */
  public String scrape() {
    return registry.scrape();
  }

  /** A connection has been opened. */
  public void connectionOpened(String protocol) {
    connections(protocol).incrementAndGet();
  }

  /** A connection has been closed. */
  public void connectionClosed(String protocol) {
    connections(protocol).decrementAndGet();
  }

  /** One was too many. */
  public void connectionRefused() {
    refused.increment();
  }

  private AtomicInteger connections(String protocol) {
    return connections.computeIfAbsent(
        protocol,
        name -> {
          AtomicInteger number = new AtomicInteger();
          Gauge.builder("tandem.connections", number::get)
              .description("Connections that are open")
              .tag(PROTOCOL, name)
              .register(registry);
          return number;
        });
  }

  /**
   * An HTTP request has been answered, or begun to be.
   *
   * @param path of the API, not as the client wrote it
   */
  public void httpAnswer(String path, int status) {
    Counter.builder("tandem.http.requests")
        .description("HTTP requests by the path of the API and the answer's status")
        .tag("path", path)
        .tag("status", Integer.toString(status))
        .register(registry)
        .increment();
  }

  @Override
  public void refused(Order order, Refusal refusal) {
    count(order, refusal.problem().name());
  }

  @Override
  public void failed(Order order, Refusal refusal) {
    count(order, refusal.problem().name());
  }

  @Override
  public void finished(Order order, Outcome outcome) {
    count(order, outcome.generation().reason().name());
    tokens("tandem.tokens.prompt", "Tokens of prompts", order, outcome.promptTokens());
    tokens(
        "tandem.tokens.cached",
        "Tokens of prompts that were in the cache already",
        order,
        outcome.generation().cachedTokens());
    tokens(
        "tandem.tokens.generated",
        "Tokens that were generated",
        order,
        outcome.generation().generatedTokens());
    time("tandem.request.queue", "From arrival until it began to run", WAITS, order)
        .record(outcome.queued());
    time("tandem.request.duration", "From arrival to the end", WAITS, order)
        .record(outcome.total());
    if (outcome.generation().generatedTokens() > 0) {
      time("tandem.request.first.token", "From arrival to the first token", WAITS, order)
          .record(outcome.firstToken());
    }
    if (outcome.generation().generatedTokens() > 1) {
      time("tandem.request.output.token", "Mean time of each token after the first", STEPS, order)
          .record(outcome.perOutputToken());
    }
  }

  private void count(Order order, String outcome) {
    Counter.builder("tandem.requests")
        .description("Texts that were asked for, by how they ended")
        .tag(PROTOCOL, order.protocol())
        .tag("outcome", outcome.toLowerCase(Locale.ROOT))
        .register(registry)
        .increment();
  }

  private void tokens(String name, String description, Order order, int tokens) {
    Counter.builder(name)
        .description(description)
        .tag(PROTOCOL, order.protocol())
        .tag("tenant", order.caller().tenant())
        .register(registry)
        .increment(tokens);
  }

  private Timer time(String name, String description, Duration[] buckets, Order order) {
    return Timer.builder(name)
        .description(description)
        .tag(PROTOCOL, order.protocol())
        .serviceLevelObjectives(buckets)
        .register(registry);
  }

  @Override
  public void close() {
    collector.close();
    registry.close();
  }
}
