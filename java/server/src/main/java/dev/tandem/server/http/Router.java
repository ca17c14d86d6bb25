package dev.tandem.server.http;

import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Desk;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Knows all paths. */
final class Router {

  private static final String ONE_MODEL = "/v1/models/";

  private final Map<String, Route> routes = new LinkedHashMap<>();
  private final Route oneModel;
  private final Route nowhere = Route.get("other", Router::refuse);
  private final Optional<Route> page;

  Router(Desk desk, HttpOptions options, Metrics metrics) {
    StatusEndpoints status = new StatusEndpoints(desk);
    ModelEndpoints models = new ModelEndpoints(desk);
    TextEndpoints texts = new TextEndpoints(desk);
    CompletionEndpoints completions = new CompletionEndpoints(desk, options);
    List<Route> all =
        List.of(
            Route.get("/live", status::live),
            Route.get("/health", status::health),
            Route.get("/metrics", call -> call.exchange().send(scraped(metrics))),
            Route.get("/v1/models", models::list),
            Route.post("/v1/chat/completions", completions::chat),
            Route.post("/v1/completions", completions::text),
            Route.post("/tokenize", texts::tokenize),
            Route.post("/detokenize", texts::detokenize),
            Route.post("/apply-template", texts::applyTemplate));
    all.forEach(route -> routes.put(route.name(), route));
    oneModel = Route.get(ONE_MODEL + "{model}", models::one);
    page = options.web() ? Optional.of(page(WebPage.load(), desk)) : Optional.empty();
  }

  /** What serves a path; there is always something, if only to say that there is nothing. */
  Route find(String path, HttpMethod method) {
    Route exact = routes.get(path);
    if (exact != null) {
      return exact;
    }
    if (path.startsWith(ONE_MODEL) && path.length() > ONE_MODEL.length()) {
      return oneModel;
    }
    if (path.equals("*") && method.equals(HttpMethod.OPTIONS)) {
      return nowhere;
    }
    return page.filter(route -> path.equals("/") || path.startsWith("/assets/"))
        .orElseGet(() -> new Route(nowhere.name(), method, Router::refuse));
  }

  /** The model that {@code /v1/models/{model}} asks for. */
  static String model(HttpCall call) {
    return call.path().substring(ONE_MODEL.length());
  }

  private static void refuse(HttpCall call) {
    throw nothing();
  }

  private static HttpFailure nothing() {
    return HttpFailure.of(
        HttpResponseStatus.NOT_FOUND,
        "not_found",
        "there is nothing at this path: see docs/http.md");
  }

  private static Answer scraped(Metrics metrics) {
    return new Answer(
        HttpResponseStatus.OK,
        Map.of("content-type", "text/plain; version=0.0.4; charset=utf-8"),
        metrics.scrape().getBytes(StandardCharsets.UTF_8));
  }

  /** While the model is being loaded the page comes with 503, and shows it. */
  private static Route page(WebPage files, Desk desk) {
    return Route.get(
        Route.PAGE,
        call -> {
          boolean early = desk.state() == Desk.State.LOADING && call.path().equals("/");
          WebResponse file =
              files
                  .get(call.path(), early ? Optional.empty() : call.ifNoneMatch())
                  .orElseThrow(Router::nothing);
          call.exchange().send(early ? loading(answer(file), desk) : answer(file));
        });
  }

  private static Answer loading(Answer page, Desk desk) {
    long seconds = Math.max(1, desk.limits().retryAfter().toSeconds());
    return new Answer(HttpResponseStatus.SERVICE_UNAVAILABLE, page.headers(), page.body())
        .with("retry-after", Long.toString(seconds));
  }

  private static Answer answer(WebResponse file) {
    ByteBuffer content = file.body().duplicate();
    byte[] body = new byte[content.remaining()];
    content.get(body);
    return new Answer(HttpResponseStatus.valueOf(file.status()), file.headers(), body);
  }
}
