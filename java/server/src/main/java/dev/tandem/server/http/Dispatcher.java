package dev.tandem.server.http;

import dev.tandem.server.metrics.Metrics;
import dev.tandem.server.request.Desk;
import dev.tandem.server.request.Refusal;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
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

  // To tokenise much takes up to seconds. Virtual threads are not interrupted for one another, and
  // those of other requests would wait.
  private static final int MOST_QUICK_BYTES = 64 << 10;

  private final ExecutorService slow = slowThreads();
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
    if (call.body().length > MOST_QUICK_BYTES) {
      slow.execute(() -> serve(call));
    } else {
      Thread.ofVirtual().name("http " + call.id()).start(() -> serve(call));
    }
  }

  private static ExecutorService slowThreads() {
    int threads = Math.max(1, Runtime.getRuntime().availableProcessors() / 4);
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            threads,
            threads,
            10,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(), // as long as there are connections, at most
            Thread.ofPlatform().daemon().name("tandem-http-", 0).factory());
    pool.allowCoreThreadTimeOut(true);
    return pool;
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
      if (desk.state() == Desk.State.LOADING && !route.servesWhileLoading()) {
        desk.ready();
      }
      route.serve(call);
    } catch (HttpFailure e) {
      exchange.fail(e);
    } catch (Refusal e) {
      exchange.fail(HttpFailure.of(e));
    } catch (Throwable e) { // errors too: the client does not wait for ever
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
