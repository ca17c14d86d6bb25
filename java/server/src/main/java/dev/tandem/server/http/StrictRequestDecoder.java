package dev.tandem.server.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.DecoderResult;
import io.netty.handler.codec.http.DefaultFullHttpRequest;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import java.util.List;

/**
 * Netty's decoder, which takes no request that two programs could read in two ways: strict line
 * ends, one Content-Length, and none with a Transfer-Encoding (RFC 9112, 6.3). It joins folded
 * header lines; here they are refused, with anything else before a header line that is blank.
 *
 * <pre>
 * GET / HTTP/1.1\r\n          GET / HTTP/1.1\r\n
 * Host: localhost\r\n         Host: localhost\r\n
 * \r\n                        X-A: b\r\n
 *                             \tc\r\n              &lt;- refused
 * -&gt; HttpRequest, contents    -&gt; FullHttpRequest with a failed DecoderResult, nothing after it
 * </pre>
 */
final class StrictRequestDecoder extends HttpRequestDecoder {

  private boolean inHead = true;
  private boolean begun; // the first line of this head has been there
  private boolean refused;

  /**
   * @param headerBytes most of one request's header lines; the first line may have half of that
   */
  StrictRequestDecoder(int headerBytes) {
    super(
        new HttpDecoderConfig()
            .setMaxInitialLineLength(headerBytes / 2)
            .setMaxHeaderSize(headerBytes)
            .setMaxChunkSize(64 << 10)
            .setAllowDuplicateContentLengths(false)
            .setStrictLineParsing(true)
            .setUseRfc9112TransferEncoding(true)
            .setValidateHeaders(true));
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out)
      throws Exception {
    if (refused) {
      in.skipBytes(in.readableBytes());
      return;
    }
    if (inHead) {
      skipEmptyLines(in);
      if (hasBlankBeforeLine(in)) {
        refused = true;
        in.skipBytes(in.readableBytes());
        out.add(badRequest());
        return;
      }
      begun |= in.indexOf(in.readerIndex(), in.writerIndex(), (byte) '\n') >= 0;
    }
    int before = out.size();
    super.decode(context, in, out);
    for (int i = before; i < out.size(); i++) {
      if (out.get(i) instanceof HttpRequest) {
        inHead = false;
      }
      if (out.get(i) instanceof LastHttpContent) {
        inHead = true;
        begun = false;
      }
    }
  }

  /** Those before a request, which some clients send behind the one before (RFC 9112, 2.2). */
  private void skipEmptyLines(ByteBuf in) {
    while (!begun
        && in.readableBytes() >= 2
        && in.getByte(in.readerIndex()) == '\r'
        && in.getByte(in.readerIndex() + 1) == '\n') {
      in.skipBytes(2);
    }
  }

  /**
   * Whether a line begins with a blank, as far as the header goes. The decoder takes whole lines
   * out of the buffer, so that it begins with a line.
   */
  private static boolean hasBlankBeforeLine(ByteBuf in) {
    int at = in.readerIndex();
    while (at < in.writerIndex()) {
      byte first = in.getByte(at);
      if (first == ' ' || first == '\t') {
        return true;
      }
      int end = in.indexOf(at, in.writerIndex(), (byte) '\n');
      boolean isEmpty = end == at || end == at + 1 && first == '\r';
      if (end < 0 || isEmpty) {
        return false;
      }
      at = end + 1;
    }
    return false;
  }

  private static FullHttpRequest badRequest() {
    FullHttpRequest request =
        new DefaultFullHttpRequest(
            HttpVersion.HTTP_1_0, HttpMethod.GET, "/bad-request", Unpooled.EMPTY_BUFFER);
    request.setDecoderResult(
        DecoderResult.failure(new IllegalArgumentException("a line begins with a blank")));
    return request;
  }
}
