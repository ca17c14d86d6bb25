package dev.tandem.cli;

import dev.tandem.engine.MemoryNeed;
import dev.tandem.server.MemoryPlan;
import dev.tandem.server.StartListener;
import dev.tandem.server.TandemServer;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.request.ModelCard;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;

/** What a server tells people while it starts. */
final class ServeReport implements StartListener, AutoCloseable {

  private static final String BOLD = "\u001b[1m";
  private static final String PLAIN = "\u001b[0m";

  private final Streams streams;
  private final ServerOptions options;
  private final ProgressBar loading;
  private boolean tls;

  ServeReport(Streams streams, ServerOptions options) {
    this.streams = streams;
    this.options = options;
    loading = new ProgressBar(streams, "loading");
  }

  @Override
  public void listening(TandemServer server) {
    tls = server.hasTls();
    String http = (tls ? "https://" : "http://") + text(server.httpAddress());
    Table table = new Table(Table.Align.LEFT, Table.Align.LEFT);
    if (options.http().web()) {
      table.row("chat in a browser", emphasised(http));
    }
    table.row("OpenAI's API", emphasised(http + "/v1"));
    table.row("binary protocol", emphasised(text(server.rpcAddress())));
    streams.err().print(table);
  }

  @Override
  public void planned(MemoryPlan plan) {
    Table table = new Table(Table.Align.LEFT, Table.Align.RIGHT, Table.Align.LEFT);
    for (MemoryPlan.Row row : plan.rows(options)) {
      table.row("memory for " + row.what(), MemoryNeed.text(row.bytes()), row.settings());
    }
    String available =
        plan.available().isPresent()
            ? "of " + MemoryNeed.text(plan.available().getAsLong()) + " that are free"
            : "";
    table.row("together", MemoryNeed.text(plan.totalBytes()), available);
    streams.err().print(table);
  }

  @Override
  public void progress(long loaded, long total) {
    loading.updateToTheEnd(loaded, total);
  }

  @Override
  public void ready(ModelCard card, Duration took) {
    loading.close();
    streams.note(
        "%s (%s parameters, %s) on %s; %s for each request; ready after %s s"
            .formatted(
                Printable.line(card.name()),
                Quantities.count(card.parameters()),
                card.format(),
                card.placement(),
                Quantities.plural(card.contextTokens(), "token"),
                Quantities.fixed(took.toNanos() / 1e9, 2)));
  }

  @Override
  public void failed(Throwable why) {
    loading.close();
  }

  @Override
  public void close() {
    loading.close();
  }

  /** As it is typed elsewhere: all addresses of a machine include its own. */
  private static String text(InetSocketAddress address) {
    InetAddress host = address.getAddress();
    String name = host.isAnyLocalAddress() ? "127.0.0.1" : host.getHostAddress();
    return (name.contains(":") ? "[" + name + "]" : name) + ":" + address.getPort();
  }

  private String emphasised(String text) {
    return streams.isColoured(Streams.Kind.ERR) ? BOLD + text + PLAIN : text;
  }
}
