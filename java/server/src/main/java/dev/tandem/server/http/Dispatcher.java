package dev.tandem.server.http;

import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.Refusal;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.HttpResponseStatus;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * Gives each request to what serves its path, on a virtual thread: event loops neither parse nor
 * tokenise. Until the model is loaded, nearly every path says so.
 */
@Sharable
final class Dispatcher extends SimpleChannelInboundHandler<HttpCall> {

  private static final Logger log = LoggerFactory.getLogger(Dispatcher.class);

  private final Desk desk;
  private final Router router;
  private final Metrics metrics;

  Dispatcher(Desk desk, Router router, Metrics metrics) {
    this.desk = desk;
    this.router = router;
    this.metrics = metrics;
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, HttpCall call) {
    Thread.ofVirtual().name("http " + call.id()).start(() -> serve(call));
  }

  private void serve(HttpCall call) {
    Route route = router.find(call.path(), call.method());
    Exchange exchange = call.exchange();
    long started = System.nanoTime();
    exchange.observe(status -> tell(call, route, status, started));
    if (desk.state() == Desk.State.DRAINING) {
      exchange.closeAfterwards();
    }
    MDC.put(Desk.LOG_REQUEST, call.id());
    MDC.put(Desk.LOG_TENANT, call.caller().tenant());
    try {
      if (desk.state() == Desk.State.LOADING && !route.isBeforeLoading()) {
        desk.ready();
      }
      route.serve(call);
    } catch (HttpFailure e) {
      exchange.fail(e);
    } catch (Refusal e) {
      exchange.fail(HttpFailure.of(e));
    } catch (RuntimeException | StackOverflowError e) {
      log.error("request {}: {} failed", call.id(), route.name(), e);
      exchange.fail(
          HttpFailure.of(
              HttpResponseStatus.INTERNAL_SERVER_ERROR,
              "internal_error",
              "the server has a defect; its log names it at request " + call.id()));
    } finally {
      MDC.remove(Desk.LOG_REQUEST);
      MDC.remove(Desk.LOG_TENANT);
    }
  }

  private void tell(HttpCall call, Route route, HttpResponseStatus status, long started) {
    metrics.httpAnswer(route.name(), status.code());
    log.debug(
        "request {}: {} {}: {} after {} us",
        call.id(),
        call.method(),
        route.name(),
        status.code(),
        (System.nanoTime() - started) / 1000);
  }
}
