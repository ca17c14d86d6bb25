package dev.tandem.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Message;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.ErrorCode;
import dev.tandem.protocol.v1.Finished;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Hello;
import dev.tandem.protocol.v1.Limits;
import dev.tandem.protocol.v1.ModelInfo;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Started;
import dev.tandem.protocol.v1.Token;
import dev.tandem.protocol.v1.Usage;
import dev.tandem.protocol.v1.Welcome;
import io.netty.buffer.ByteBuf;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** Holds what proto/README.md says of bytes and errors. */
class SpecificationTest {

  private static final Path README = Path.of("../../proto/README.md");
  private static final String BEGIN = "<!-- bytes -->\n";
  private static final String END = "<!-- /bytes -->";
  private static final int LINE = 16;

  private static final HexFormat HEX = HexFormat.ofDelimiter(" ");

  /** Writes the bytes anew; the argument is the module's folder. */
  public static void main(String[] arguments) throws IOException {
    Path file = Path.of(arguments[0]).resolve(README);
    String text = Files.readString(file);
    Files.writeString(
        file,
        text.substring(0, text.indexOf(BEGIN) + BEGIN.length())
            + dump()
            + text.substring(text.indexOf(END)));
  }

  @Test
  void bytesAreThoseThatAreSent() throws IOException {
    String text = Files.readString(README);
    assertEquals(
        dump(),
        text.substring(text.indexOf(BEGIN) + BEGIN.length(), text.indexOf(END)),
        "main of this class writes them anew");
  }

  @Test
  void everyErrorIsTold() throws IOException {
    String text = Files.readString(README);
    Arrays.stream(ErrorCode.values())
        .filter(code -> code != ErrorCode.UNRECOGNIZED)
        .filter(code -> code != ErrorCode.ERROR_CODE_UNSPECIFIED)
        .forEach(
            code -> {
              String row = "| `%s` (%d) |".formatted(code, code.getNumber());
              assertTrue(text.contains(row), row);
            });
  }

  private static String dump() {
    return "```\n"
        + client(
            "Hello: version 1, the token \"secret\", the client's name",
            ClientMessage.newBuilder()
                .setHello(
                    Hello.newBuilder()
                        .setProtocolVersion(1)
                        .setToken("secret")
                        .setClientName("example/1")))
        + server(
            "Welcome: version 1, the server's name, limits, the model",
            ServerMessage.newBuilder()
                .setWelcome(
                    Welcome.newBuilder()
                        .setProtocolVersion(1)
                        .setServerName("tandem")
                        .setLimits(
                            Limits.newBuilder()
                                .setMaxFrameBytes(Frames.DEFAULT_MAX_BYTES)
                                .setMaxRequestsPerConnection(128))
                        .setModel(ModelInfo.newBuilder().setName("stories"))))
        + client(
            "Generate, request 1: the text \"Once\", temperature 0, one token",
            ClientMessage.newBuilder()
                .setRequestId(1)
                .setGenerate(
                    GenerateRequest.newBuilder()
                        .setText("Once")
                        .setSampling(Sampling.newBuilder().setTemperature(0))
                        .setMaxTokens(1)))
        + server(
            "Started, request 1: 2 tokens of prompt, seed 42",
            ServerMessage.newBuilder()
                .setRequestId(1)
                .setStarted(Started.newBuilder().setPromptTokens(2).setSeed(42)))
        + server(
            "Token, request 1: id 300, \" upon\"",
            ServerMessage.newBuilder()
                .setRequestId(1)
                .setToken(Token.newBuilder().setId(300).setText(" upon")))
        + server(
            "Finished, request 1: LENGTH, 2 tokens of prompt and 1 generated",
            ServerMessage.newBuilder()
                .setRequestId(1)
                .setFinished(
                    Finished.newBuilder()
                        .setReason(Finished.Reason.LENGTH)
                        .setUsage(
                            Usage.newBuilder().setPromptTokens(2).setGeneratedTokens(1))))
        + "```\n";
  }

  private static String client(String what, ClientMessage.Builder message) {
    return "client  " + what + "\n" + bytes(message.build());
  }

  private static String server(String what, ServerMessage.Builder message) {
    return "server  " + what + "\n" + bytes(message.build());
  }

  /** As the encoder writes it: the length, then the message. */
  private static String bytes(Message message) {
    EmbeddedChannel channel = new EmbeddedChannel();
    Frames.addTo(channel.pipeline(), 1 << 20, message);
    channel.writeOutbound(message);
    ByteBuf frame = channel.readOutbound();
    byte[] bytes = new byte[frame.readableBytes()];
    frame.readBytes(bytes).release();
    channel.finish();
    StringBuilder text = new StringBuilder();
    text.append("        ")
        .append(HEX.formatHex(bytes, 0, Frames.HEADER_BYTES))
        .append("   length: ")
        .append(bytes.length - Frames.HEADER_BYTES)
        .append("\n");
    for (int at = Frames.HEADER_BYTES; at < bytes.length; at += LINE) {
      int end = Math.min(at + LINE, bytes.length);
      String hex = HEX.formatHex(bytes, at, end);
      text.append("        ")
          .append(hex)
          .append(" ".repeat(3 * LINE + 1 - hex.length()))
          .append(ascii(Arrays.copyOfRange(bytes, at, end)))
          .append("\n");
    }
    return text.toString();
  }

  private static String ascii(byte[] bytes) {
    StringBuilder text = new StringBuilder();
    for (byte b : bytes) {
      text.append(b >= ' ' && b <= '~' ? (char) b : '.');
    }
    return text.toString();
  }
}
