package dev.tandem.server.log;

import dev.tandem.server.MemoryPlan;
import dev.tandem.server.StartListener;
import dev.tandem.server.TandemServer;
import dev.tandem.server.config.ServerOptions;
import dev.tandem.server.request.ModelCard;
import java.time.Duration;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Tells the log how a server starts, where nobody reads a report. */
public final class StartLog implements StartListener {

  private static final Logger log = LoggerFactory.getLogger(StartLog.class);

  private final ServerOptions options;

  public StartLog(ServerOptions options) {
    this.options = options;
  }

  @Override
  public void listening(TandemServer server) {
    log.atInfo()
        .addKeyValue("rpc", server.rpcAddress().toString())
        .addKeyValue("http", server.httpAddress().toString())
        .addKeyValue("tls", server.hasTls())
        .log("listening");
  }

  @Override
  public void planned(MemoryPlan plan) {
    for (MemoryPlan.Row row : plan.rows(options)) {
      log.atInfo()
          .addKeyValue("for", row.what().toLowerCase(Locale.ROOT))
          .addKeyValue("bytes", row.bytes())
          .addKeyValue("settings", row.settings())
          .log("memory");
    }
  }

  @Override
  public void ready(ModelCard card, Duration took) {
    log.atInfo()
        .addKeyValue("model", card.name())
        .addKeyValue("context", card.contextTokens())
        .addKeyValue("placement", card.placement())
        .addKeyValue("seconds", took.toMillis() / 1e3)
        .log("ready");
  }
}
