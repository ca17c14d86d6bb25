package dev.tandem.protocol;

import static dev.tandem.protocol.Received.frame;
import static dev.tandem.protocol.Received.joined;

import com.google.protobuf.ByteString;
import dev.tandem.protocol.v1.CancelRequest;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.Conversation;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Hello;
import dev.tandem.protocol.v1.Message;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.Sampling;
import dev.tandem.protocol.v1.TokenIds;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;

/**
 * The inputs from which {@link FramesFuzzTest} starts: a byte that chooses the pieces, and a
 * stream. They are committed where Jazzer looks for them; {@code main} writes them again, and a
 * test holds that they are these.
 */
final class FuzzSeeds {

  /** Where the seeds lie, from the module's folder. */
  static final Path FOLDER =
      Path.of("src/test/resources/dev/tandem/protocol/FramesFuzzTestInputs/messagesOrOneFailure");

  private FuzzSeeds() {}

  /** Writes the seeds; the argument is the module's folder. */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]).resolve(FOLDER);
    Files.createDirectories(folder);
    for (Map.Entry<String, byte[]> seed : all().entrySet()) {
      Files.write(folder.resolve(seed.getKey()), seed.getValue());
    }
  }

  static Map<String, byte[]> all() {
    Map<String, byte[]> seeds = new TreeMap<>();
    byte[] hello = frame(hello());
    byte[] generate = frame(generate());
    seeds.put("hello", inPieces(255, hello));
    seeds.put("bytewise", inPieces(0, joined(hello, generate)));
    seeds.put(
        "several", inPieces(6, joined(hello, frame(conversation()), generate, frame(cancel()))));
    seeds.put("half", inPieces(3, Arrays.copyOf(generate, generate.length / 2)));
    seeds.put("empty", inPieces(1, joined(frame(), frame(), frame())));
    seeds.put("giant", inPieces(9, joined(hello, hex("7fffffff"), new byte[700])));
    seeds.put("negative", inPieces(9, joined(hex("ffffffff"), hello)));
    seeds.put("unknown", inPieces(30, frame(hex("0801a20603010203"))));
    seeds.put("groups", inPieces(30, frame(hex("7b7b7b7b087c7c7c7c"))));
    seeds.put("cut", inPieces(30, joined(frame(hex("5205")), hello)));
    seeds.put("no-utf8", inPieces(2, frame(hex("12041202fffe"))));
    return seeds;
  }

  private static byte[] inPieces(int chooser, byte[] stream) {
    return joined(new byte[] {(byte) chooser}, stream);
  }

  private static byte[] hex(String text) {
    return HexFormat.of().parseHex(text);
  }

  private static ClientMessage hello() {
    return ClientMessage.newBuilder()
        .setHello(
            Hello.newBuilder().setProtocolVersion(1).setToken("secret").setClientName("seed/1"))
        .build();
  }

  private static ClientMessage generate() {
    return ClientMessage.newBuilder()
        .setRequestId(1)
        .setGenerate(
            GenerateRequest.newBuilder()
                .setTokenIds(TokenIds.newBuilder().addIds(1).addIds(300).addIds(70_000))
                .setSampling(
                    Sampling.newBuilder().setTemperature(0.5).setSeed(-1).putLogitBias(7, -1f))
                .addStop("\n\n")
                .setMaxTokens(16)
                .setLogProbabilities(2))
        .build();
  }

  private static ClientMessage conversation() {
    Message message = Message.newBuilder().setRole("user").setContent("Grüß Gott").build();
    return ClientMessage.newBuilder()
        .setRequestId(2)
        .setGenerate(
            GenerateRequest.newBuilder()
                .setConversation(Conversation.newBuilder().addMessages(message)))
        .build();
  }

  private static ClientMessage cancel() {
    return ClientMessage.newBuilder()
        .setRequestId(2)
        .setCancel(CancelRequest.getDefaultInstance())
        .setPing(Ping.newBuilder().setPayload(ByteString.copyFromUtf8("x")))
        .build();
  }
}
