/**
 * The HTTP API: OpenAI's, what llama.cpp's server adds to it, health, metrics and the web page,
 * over HTTP/1.1. {@code docs/http.md} is its specification. The way of a request:
 *
 * <pre>
 * bytes -&gt; ConnectionClock -&gt; StrictRequestDecoder -&gt; RequestCollector -&gt; Dispatcher -&gt; an Endpoint,
 *                                                     (Gatekeeper)                    on a virtual thread
 * bytes &lt;- HttpResponseEncoder &lt;- Exchange &lt;- Answer, or EventStream
 * </pre>
 *
 * <p>{@link dev.tandem.server.http.HttpInitializer} puts them together.
 */
package dev.tandem.server.http;
