package dev.tandem.server.http;

import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpResponseStatus;

/**
 * A path that is served.
 *
 * @param name for metrics and logs: the path, or its pattern
 * @param method that it has; GET means HEAD as well
 */
record Route(String name, HttpMethod method, Endpoint endpoint) {

  /** The name of all that belongs to the web page. */
  static final String PAGE = "/";

  static Route get(String name, Endpoint endpoint) {
    return new Route(name, HttpMethod.GET, endpoint);
  }

  static Route post(String name, Endpoint endpoint) {
    return new Route(name, HttpMethod.POST, endpoint);
  }

  /**
   * Whether it tells by itself that the model is still being loaded, or has nothing to do with it.
   */
  boolean servesWhileLoading() {
    return name.equals("/live") || name.equals("/health") || name.equals(PAGE);
  }

  /** Serves a request, or says what would be served. */
  void serve(HttpCall call) {
    if (call.method().equals(HttpMethod.OPTIONS)) {
      call.exchange().send(options());
    } else if (takes(call.method())) {
      endpoint.serve(call);
    } else {
      HttpFailure failure =
          HttpFailure.of(
              HttpResponseStatus.METHOD_NOT_ALLOWED,
              "method_not_allowed",
              name + " is asked by " + method);
      call.exchange().send(Answer.of(failure).with("allow", allowed()));
    }
  }

  private boolean takes(HttpMethod asked) {
    return asked.equals(method) || asked.equals(HttpMethod.HEAD) && method.equals(HttpMethod.GET);
  }

  private String allowed() {
    return (method.equals(HttpMethod.GET) ? "GET, HEAD" : method) + ", OPTIONS";
  }

  /** What a browser looks at, where the origin is allowed, before it lets a page elsewhere ask. */
  private Answer options() {
    return Answer.empty(HttpResponseStatus.NO_CONTENT)
        .with("allow", allowed())
        .with("access-control-allow-methods", allowed())
        .with("access-control-allow-headers", "authorization, content-type, *")
        .with("access-control-max-age", "600");
  }
}
