package dev.tandem.server.http;

import dev.tandem.server.request.Backend;
import dev.tandem.server.request.Desk;

/** Answers conversations and continues texts. */
final class CompletionEndpoints {

  private final Desk desk;
  private final HttpOptions options;

  CompletionEndpoints(Desk desk, HttpOptions options) {
    this.desk = desk;
    this.options = options;
  }

  void chat(HttpCall call) {
    Fields fields = call.json();
    Backend backend = desk.ready();
    generate(call, backend, new CompletionReader(backend, options).chat(fields));
  }

  void text(HttpCall call) {
    Fields fields = call.json();
    Backend backend = desk.ready();
    generate(call, backend, new CompletionReader(backend, options).text(fields));
  }

  private void generate(HttpCall call, Backend backend, CompletionRequest request) {
    CompletionSink sink =
        request.stream()
            ? new StreamedAnswer(
                call.exchange(),
                new EventStream(call.exchange(), options.times().heartbeat()),
                request,
                backend.card(),
                backend.tokenizer())
            : new WholeAnswer(call.exchange(), request, backend.card(), backend.tokenizer());
    new Completion(desk, call, request, sink).start();
  }
}
