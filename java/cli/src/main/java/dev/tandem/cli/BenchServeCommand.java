package dev.tandem.cli;

import static dev.tandem.cli.Table.Column.left;
import static dev.tandem.cli.Table.Column.right;
import static dev.tandem.cli.Table.NOTHING;

import dev.tandem.cli.load.InstantServer;
import dev.tandem.cli.load.Lengths;
import dev.tandem.cli.load.LoadResult;
import dev.tandem.cli.load.LoadRun;
import dev.tandem.cli.load.LoadTarget;
import dev.tandem.cli.load.RpcTarget;
import dev.tandem.cli.load.SseTarget;
import dev.tandem.cli.load.TraceFile;
import dev.tandem.cli.load.Workload;
import dev.tandem.client.TandemException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code tandem bench serve}: drives a running server. */
@Command(
    name = "serve",
    customSynopsis = "tandem bench serve (--connect HOST:PORT | --url URL | --instant) [OPTIONS]",
    description = {
      "Puts load on a running server, and tells how it held.",
      "",
      "Sends requests with random tokens as prompts, so many at the same time (-c), or at random"
          + " times with so many per second on average (--rate), or as a trace recorded them"
          + " (--trace). Tells throughput, errors, and of the requests that succeeded the time to"
          + " the first token (TTFT), the time per output token after it (TPOT) and the time from"
          + " beginning to end. Times are the client's; with --rate and --trace they count from"
          + " when a request was due.",
      "",
      "With --instant a server without a model is started in this very process, which answers"
          + " every request at once, and both protocols are measured: what they cost by themselves."
    },
    footer = {
      "",
      "Examples:",
      "  tandem bench serve --connect localhost:8077 -c 16 --requests 200 --prompt 128 --output 64",
      "  tandem bench serve --url http://localhost:8080 --rate 4 --requests 100 --output 16-128",
      "  tandem bench serve --connect localhost:8077 --trace conversations.csv --requests 500",
      "  tandem bench serve --instant -c 1 --requests 20000 --prompt 16 --output 1"
    })
final class BenchServeCommand implements Callable<Integer> {

  private static final int MOST_CONCURRENT = 100_000;
  private static final int MOST_REQUESTS = 10_000_000;
  private static final int MOST_SECONDS = 1_000_000;
  private static final int LONGEST_ERROR = 1000;
  private static final Pattern ROOT = Pattern.compile("http://[^/?#@]+/?");

  private final Streams streams;

  @Option(
      names = "--connect",
      paramLabel = "HOST:PORT",
      description = "A Tandem server's binary protocol.")
  private Optional<String> connect = Optional.empty();

  @Option(
      names = "--url",
      paramLabel = "URL",
      description = "An OpenAI-compatible server's HTTP API: http://localhost:8080.")
  private Optional<URI> url = Optional.empty();

  @Option(
      names = "--instant",
      description = "A server in this process that answers at once, over both protocols.")
  private boolean instant;

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "File with the server's token. Default: $TANDEM_TOKEN, or none.")
  private Optional<Path> tokenFile = Optional.empty();

  @Option(
      names = {"-c", "--concurrency"},
      paramLabel = "N",
      description = "Requests at the same time, at most. Default: 1; with --rate and --trace 1000.")
  private Optional<Integer> concurrency = Optional.empty();

  @Option(
      names = "--rate",
      paramLabel = "R",
      description = "Send R requests per second on average, at random times (Poisson).")
  private Optional<Double> rate = Optional.empty();

  @Option(
      names = "--trace",
      paramLabel = "FILE",
      description =
          "Send what a trace recorded: CSV with a header or lines of JSON, with the time, the"
              + " prompt's and the answer's tokens of each request.")
  private Optional<Path> trace = Optional.empty();

  @Option(
      names = "--speed",
      paramLabel = "X",
      description = "Play the trace X times as fast. Default: 1.")
  private Optional<Double> speed = Optional.empty();

  @Option(
      names = {"-r", "--requests"},
      paramLabel = "N",
      description = "Requests in all; of a trace, the first ones. Default: ${DEFAULT-VALUE}.",
      defaultValue = "100")
  private int requests;

  @Option(
      names = {"-p", "--prompt"},
      paramLabel = "N[-M]",
      description = "Tokens of a prompt. Default: ${DEFAULT-VALUE}.",
      defaultValue = "128")
  private String prompts;

  @Option(
      names = {"-n", "--output"},
      paramLabel = "N[-M]",
      description = "Tokens of an answer. Default: ${DEFAULT-VALUE}.",
      defaultValue = "64")
  private String outputs;

  @Option(
      names = "--warm-up",
      paramLabel = "N",
      description = "Requests before, which do not count. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private int warmUp;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      description = "Give up a request after so long a silence. Default: ${DEFAULT-VALUE}.",
      defaultValue = "300")
  private int timeout;

  @Option(
      names = {"-s", "--seed"},
      paramLabel = "N",
      description = "The same seed sends the same load. Default: ${DEFAULT-VALUE}.",
      defaultValue = "1")
  private long seed;

  @Option(names = "--json", description = "Print a JSON document.")
  private boolean json;

  BenchServeCommand(Streams streams) {
    this.streams = streams;
  }

  @Override
  public Integer call() throws InterruptedException {
    if ((connect.isPresent() ? 1 : 0) + (url.isPresent() ? 1 : 0) + (instant ? 1 : 0) != 1) {
      throw Failure.usage(
          "name one server: --connect HOST:PORT, --url http://HOST:PORT, or --instant");
    }
    Workload workload = workload();
    int together = concurrency();
    if (timeout < 1 || timeout > MOST_SECONDS) {
      throw Failure.value("--timeout", timeout, "from 1 to " + MOST_SECONDS + " seconds");
    }
    Map<String, LoadResult> results = new LinkedHashMap<>();
    try {
      if (instant) {
        try (InstantServer server = new InstantServer(ModelOptions.file(Optional.empty()))) {
          results.put("binary", measure(rpc(server.rpc(), together), workload, together));
          results.put("http", measure(http(server.http()), workload, together));
        }
      } else if (url.isPresent()) {
        results.put("http", measure(http(url.get()), workload, together));
      } else {
        results.put("binary", measure(rpc(connect.orElseThrow(), together), workload, together));
      }
    } catch (UncheckedIOException | TandemException e) {
      throw new Failure(Printable.line(String.valueOf(e.getMessage()), LONGEST_ERROR));
    }
    streams.print(json ? Json.text(document(results, together)) : text(results));
    return results.values().stream().allMatch(result -> result.errors().isEmpty()) ? 0 : 1;
  }

  private LoadResult measure(LoadTarget server, Workload workload, int together)
      throws InterruptedException {
    try (LoadTarget target = server;
        ProgressBar bar = new ProgressBar(streams, "measuring")) {
      if (warmUp > 0) {
        // With another seed: no prompt of the load is in a cache.
        Workload before =
            Workload.closed(warmUp, lengths("-p", prompts), lengths("-n", outputs), ~seed);
        new LoadRun(target, together, ~seed).run(before, n -> {});
      }
      return new LoadRun(target, together, seed)
          .run(workload, n -> bar.update(n, workload.arrivals().size()));
    }
  }

  private LoadTarget rpc(String address, int together) {
    ServerAddress server = ServerAddress.parse(address);
    return new RpcTarget(
        server.host(), server.port(), ServerToken.of(tokenFile), together, patience());
  }

  private LoadTarget http(URI server) {
    if (!ROOT.matcher(server.toString()).matches()
        || server.getHost() == null
        || server.getPort() >= 1 << 16) {
      throw Failure.value("--url", server, "http://HOST:PORT, without a path");
    }
    return new SseTarget(server, ServerToken.of(tokenFile), patience());
  }

  private Duration patience() {
    return Duration.ofSeconds(timeout);
  }

  private Workload workload() {
    requireCount("--requests", requests, 1);
    requireCount("--warm-up", warmUp, 0);
    if (trace.isPresent() && rate.isPresent()) {
      throw Failure.usage("--trace has times of its own: leave out --rate");
    }
    if (speed.isPresent() && trace.isEmpty()) {
      throw Failure.usage("--speed is that of a trace: add --trace FILE");
    }
    if (trace.isPresent()) {
      double times = speed.orElse(1.0);
      if (!(times > 0) || Double.isInfinite(times)) {
        throw Failure.value("--speed", times, "more than 0");
      }
      try {
        return TraceFile.read(trace.get(), requests, times);
      } catch (IOException e) {
        throw Failure.of(trace.get(), e);
      } catch (IllegalArgumentException e) {
        throw new Failure(Printable.line(e.getMessage(), LONGEST_ERROR));
      }
    }
    Lengths prompt = lengths("-p", prompts);
    Lengths output = lengths("-n", outputs);
    if (rate.isEmpty()) {
      return Workload.closed(requests, prompt, output, seed);
    }
    if (!(rate.get() > 0) || Double.isInfinite(rate.get())) {
      throw Failure.value("--rate", rate.get(), "more than 0 requests per second");
    }
    return Workload.poisson(requests, rate.get(), prompt, output, seed);
  }

  private static void requireCount(String option, int count, int least) {
    if (count < least || count > MOST_REQUESTS) {
      throw Failure.value(option, count, "from %d to %d".formatted(least, MOST_REQUESTS));
    }
  }

  private static Lengths lengths(String option, String text) {
    try {
      return Lengths.parse(text);
    } catch (IllegalArgumentException e) {
      throw Failure.usage(option + ": " + e.getMessage());
    }
  }

  private int concurrency() {
    int count = concurrency.orElse(rate.isPresent() || trace.isPresent() ? 1000 : 1);
    if (count < 1 || count > MOST_CONCURRENT) {
      throw Failure.value("-c", count, "from 1 to " + MOST_CONCURRENT);
    }
    return count;
  }

  private Map<String, Object> document(Map<String, LoadResult> results, int together) {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("concurrency", together);
    results.forEach((protocol, result) -> document.put(protocol, result.document()));
    return document;
  }

  private static String text(Map<String, LoadResult> results) {
    StringBuilder text = new StringBuilder();
    results.forEach((protocol, result) -> {
      text.append(text.isEmpty() ? "" : "\n");
      text.append(results.size() > 1 ? protocol + ": " : "").append(text(result));
    });
    return text.toString();
  }

  private static String text(LoadResult result) {
    StringBuilder text = new StringBuilder();
    text.append(
        "%d of %d requests succeeded in %s s: %s requests/s, %s tokens/s\n"
            .formatted(
                result.succeeded(),
                result.samples().size(),
                Quantities.fixed(result.seconds(), 2),
                Quantities.fixed(result.succeeded() / result.seconds(), 2),
                Quantities.fixed(result.tokens() / result.seconds(), 1)));
    if (result.succeeded() > 0) {
      Table table =
          new Table(
              List.of(
                  left("milliseconds"),
                  right("mean"),
                  right("p50"),
                  right("p90"),
                  right("p99"),
                  right("max")));
      row(table, "first token", result.firstToken());
      row(table, "each token after", result.perToken());
      row(table, "whole request", result.total());
      text.append(table);
    }
    result
        .errors()
        .forEach(
            (error, count) -> text.append("%d x %s\n".formatted(count, Printable.line(error))));
    return text.toString();
  }

  private static void row(Table table, String name, LoadResult.Distribution times) {
    table.row(
        name,
        milliseconds(times.mean()),
        milliseconds(times.p50()),
        milliseconds(times.p90()),
        milliseconds(times.p99()),
        milliseconds(times.most()));
  }

  private static String milliseconds(double seconds) {
    return Double.isNaN(seconds) ? NOTHING : Quantities.fixed(seconds * 1e3, 3);
  }
}
