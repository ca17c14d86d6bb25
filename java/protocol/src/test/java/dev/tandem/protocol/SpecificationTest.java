package dev.tandem.protocol;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import com.google.protobuf.WireFormat;
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
import java.io.UncheckedIOException;
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
  private static final int COLUMN = 3 * 13;

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
        .forEach(code -> {
          String row = "| `%s` (%d) |".formatted(code, code.getNumber());
          assertTrue(text.contains(row), row);
        });
  }

  private static String dump() {
    return ("```\n"
            + client(
                "Hello",
                ClientMessage.newBuilder()
                    .setHello(
                        Hello.newBuilder()
                            .setProtocolVersion(1)
                            .setToken("secret")
                            .setClientName("example/1")))
            + server(
                "Welcome",
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
                "Generate",
                ClientMessage.newBuilder()
                    .setRequestId(1)
                    .setGenerate(
                        GenerateRequest.newBuilder()
                            .setText("Once")
                            .setSampling(Sampling.newBuilder().setTemperature(0))
                            .setMaxTokens(1)))
            + server(
                "Started",
                ServerMessage.newBuilder()
                    .setRequestId(1)
                    .setStarted(Started.newBuilder().setPromptTokens(2).setSeed(42)))
            + server(
                "Token",
                ServerMessage.newBuilder()
                    .setRequestId(1)
                    .setToken(Token.newBuilder().setId(300).setText(" upon")))
            + server(
                "Finished",
                ServerMessage.newBuilder()
                    .setRequestId(1)
                    .setFinished(
                        Finished.newBuilder()
                            .setReason(Finished.Reason.LENGTH)
                            .setUsage(Usage.newBuilder().setPromptTokens(2).setGeneratedTokens(1))))
            + "```\n")
        .replaceFirst("\n\n", "\n");
  }

  private static String client(String what, ClientMessage.Builder message) {
    return "\nclient: " + what + "\n" + bytes(message.build());
  }

  private static String server(String what, ServerMessage.Builder message) {
    return "\nserver: " + what + "\n" + bytes(message.build());
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
    line(text, bytes, 0, Frames.HEADER_BYTES, "length: " + (bytes.length - Frames.HEADER_BYTES));
    fields(text, bytes, Frames.HEADER_BYTES, bytes.length, message.getDescriptorForType(), "");
    return text.toString();
  }

  /** Each field of a message on a line, those of messages in it below, indented. */
  private static void fields(
      StringBuilder text, byte[] bytes, int from, int to, Descriptor type, String indentation) {
    CodedInputStream in = CodedInputStream.newInstance(bytes, from, to - from);
    try {
      for (int begin = from; begin < to; begin = from + in.getTotalBytesRead()) {
        FieldDescriptor field = type.findFieldByNumber(WireFormat.getTagFieldNumber(in.readTag()));
        String name = indentation + field.getName();
        if (field.getJavaType() == FieldDescriptor.JavaType.MESSAGE) {
          int length = in.readRawVarint32();
          int content = from + in.getTotalBytesRead();
          line(text, bytes, begin, content, name + ": " + length + " bytes");
          fields(text, bytes, content, content + length, field.getMessageType(), name + ".");
          in.skipRawBytes(length);
        } else {
          String value = value(in, field);
          line(text, bytes, begin, from + in.getTotalBytesRead(), name + " = " + value);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static String value(CodedInputStream in, FieldDescriptor field) throws IOException {
    return switch (field.getJavaType()) {
      case STRING -> '"' + in.readString() + '"';
      case ENUM -> field.getEnumType().findValueByNumber(in.readEnum()).getName();
      case DOUBLE -> String.valueOf(in.readDouble());
      default -> Long.toUnsignedString(in.readUInt64());
    };
  }

  private static void line(StringBuilder text, byte[] bytes, int from, int to, String what) {
    String hex = HEX.formatHex(bytes, from, to);
    text.append("  ").append(hex).append(" ".repeat(Math.max(1, COLUMN - hex.length())));
    text.append(what).append("\n");
  }
}
