package dev.tandem.protocol;

import static dev.tandem.protocol.Received.frame;
import static dev.tandem.protocol.Received.joined;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import dev.tandem.protocol.v1.ClientMessage;
import dev.tandem.protocol.v1.GenerateRequest;
import dev.tandem.protocol.v1.Ping;
import dev.tandem.protocol.v1.ServerMessage;
import dev.tandem.protocol.v1.Token;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelFuture;
import io.netty.channel.embedded.EmbeddedChannel;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class FramesTest {

  private static final int MAX = 1000;

  private static final ClientMessage PING = ping(7, "abc");
  private static final ClientMessage GENERATE =
      ClientMessage.newBuilder()
          .setRequestId(9)
          .setGenerate(GenerateRequest.newBuilder().setText("Es war einmal").addStop("ä").build())
          .build();

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 16, 1000})
  void messagesComeOutWhateverThePieces(int size) {
    byte[] stream = joined(frame(PING), frame(GENERATE), frame(PING));
    try (Received received = new Received(MAX).inPieces(stream, size)) {
      assertEquals(List.of(PING, GENERATE, PING), received.messages);
      assertEquals(List.of(), received.failures);
      assertEquals(0, received.held(), "nothing is kept when all frames are whole");
    }
  }

  @Test
  void halfAFrameIsNoMessage() {
    byte[] half = Arrays.copyOf(frame(GENERATE), 10);
    Received received = new Received(MAX).bytes(half);
    assertEquals(List.of(), received.messages);
    received.close(); // nor does the end of the connection make it one
    assertEquals(List.of(), received.messages);
    assertEquals(0, received.held());
  }

  @Test
  void anEmptyFrameIsAMessageWithoutABody() {
    try (Received received = new Received(MAX).bytes(frame())) {
      assertEquals(List.of(ClientMessage.getDefaultInstance()), received.messages);
    }
  }

  @Test
  void aFrameMayBeAsLongAsTheLimit() {
    int around = ping(7, "").getSerializedSize() + 2; // lengths of more than one byte
    ClientMessage longest = ping(7, "x".repeat(MAX - around - 2));
    assertEquals(MAX, longest.getSerializedSize());
    try (Received received = new Received(MAX).bytes(frame(longest))) {
      assertEquals(List.of(longest), received.messages);
    }
    try (Received received = new Received(MAX - 1).bytes(frame(longest))) {
      assertMalformed(received, "a frame of 1000 bytes: at most 999 are possible");
    }
  }

  /** 1001 bytes, 2 GB, 4 GB: each is refused by its length, before anything of it has come. */
  @ParameterizedTest
  @ValueSource(strings = {"000003e9", "7fffffff", "80000000", "ffffffff"})
  void aGiantFrameIsRefusedByItsLength(String header) {
    byte[] length = HexFormat.of().parseHex(header);
    byte[] stream = joined(frame(PING), length);
    try (Received received = new Received(MAX).bytes(stream)) {
      assertEquals(List.of(PING), received.messages, "what came before it counts");
      assertMalformed(received, Long.parseLong(header, 16) + " bytes");
      // What follows is thrown away: it is told once, and takes no memory.
      for (int i = 0; i < 100; i++) {
        received.bytes(frame(PING)).bytes(new byte[500]);
      }
      assertEquals(List.of(PING), received.messages);
      assertEquals(1, received.failures.size());
      assertTrue(received.most() <= 500, received.most() + " bytes");
    }
  }

  @Test
  void unknownFieldsAreLeftOut() {
    UnknownFieldSet future =
        UnknownFieldSet.newBuilder()
            .addField(1000, UnknownFieldSet.Field.newBuilder().addVarint(1).build())
            .addField(
                1001,
                UnknownFieldSet.Field.newBuilder()
                    .addLengthDelimited(ByteString.copyFromUtf8("more"))
                    .build())
            .build();
    ClientMessage newer =
        PING.toBuilder()
            .setUnknownFields(future)
            .setPing(PING.getPing().toBuilder().setUnknownFields(future))
            .build();
    try (Received received = new Received(MAX).bytes(frame(newer))) {
      assertEquals(List.of(PING), received.messages);
    }
  }

  @Test
  void anUnknownBodyIsNoneAndKeepsItsRequest() {
    UnknownFieldSet future =
        UnknownFieldSet.newBuilder()
            .addField(
                500,
                UnknownFieldSet.Field.newBuilder().addLengthDelimited(ByteString.EMPTY).build())
            .build();
    ClientMessage newer =
        ClientMessage.newBuilder().setRequestId(12).setUnknownFields(future).build();
    try (Received received = new Received(MAX).bytes(frame(newer))) {
      ClientMessage message = (ClientMessage) received.messages.getFirst();
      assertEquals(12, message.getRequestId());
      assertEquals(ClientMessage.BodyCase.BODY_NOT_SET, message.getBodyCase());
    }
  }

  /** A cut value, a wrong wire type, a field 0, text that is no UTF-8, a group without an end. */
  @ParameterizedTest
  @ValueSource(strings = {"08", "5201", "0f", "0000", "12041202fffe", "a306"})
  void whatIsNoMessageIsRefusedOnce(String hex) {
    byte[] wrong = frame(HexFormat.of().parseHex(hex));
    try (Received received = new Received(MAX).bytes(joined(wrong, frame(PING), wrong))) {
      assertMalformed(received, "is no message");
      assertEquals(List.of(), received.messages);
    }
  }

  /** A group within a group ... in a field that nobody knows: no stack is deep enough for all. */
  @Test
  void groupsAreNotFollowedForEver() {
    byte[] nested = new byte[1 << 20];
    Arrays.fill(nested, (byte) 0x7b); // field 15, a group begins
    try (Received received = new Received(1 << 20).bytes(frame(nested))) {
      assertMalformed(received, "is no message");
    }
  }

  @Test
  void whatIsWrittenIsRead() {
    ServerMessage token =
        ServerMessage.newBuilder()
            .setRequestId(Long.MAX_VALUE)
            .setToken(Token.newBuilder().setId(5).setText(" Fuchs"))
            .build();
    EmbeddedChannel sender = new EmbeddedChannel();
    Frames.addTo(sender.pipeline(), MAX, ClientMessage.getDefaultInstance());
    assertTrue(sender.writeOutbound(token, token));
    try (Received received = new Received(MAX, ServerMessage.getDefaultInstance())) {
      for (int i = 0; i < 2; i++) {
        ByteBuf buffer = sender.readOutbound();
        byte[] bytes = new byte[buffer.readableBytes()];
        buffer.readBytes(bytes);
        assertEquals(bytes.length, buffer.maxCapacity(), "one buffer of just that size");
        buffer.release();
        received.bytes(bytes);
      }
      assertEquals(List.of(token, token), received.messages);
    }
    assertFalse(sender.finish());
  }

  @Test
  void aMessageThatIsTooLongFailsItsWriteAlone() {
    EmbeddedChannel sender = new EmbeddedChannel();
    Frames.addTo(sender.pipeline(), MAX, ClientMessage.getDefaultInstance());
    ChannelFuture written = sender.writeOneOutbound(ping(1, "x".repeat(MAX)));
    sender.flushOutbound();
    assertInstanceOf(MessageTooLongException.class, written.cause());
    assertTrue(sender.outboundMessages().isEmpty());
    assertTrue(sender.writeOutbound(PING));
    assertTrue(sender.isOpen());
    assertTrue(sender.finishAndReleaseAll());
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -1, Integer.MAX_VALUE})
  void limitsAreChecked(int bytes) {
    EmbeddedChannel channel = new EmbeddedChannel();
    assertThrows(
        IllegalArgumentException.class, () -> Frames.addTo(channel.pipeline(), bytes, PING));
    channel.finish();
  }

  private static void assertMalformed(Received received, String message) {
    assertEquals(1, received.failures.size(), received.failures.toString());
    Throwable failure = received.failures.getFirst();
    assertInstanceOf(MalformedFrameException.class, failure);
    assertTrue(failure.getMessage().contains(message), failure.getMessage());
  }

  private static ClientMessage ping(long request, String payload) {
    return ClientMessage.newBuilder()
        .setRequestId(request)
        .setPing(Ping.newBuilder().setPayload(ByteString.copyFromUtf8(payload)))
        .build();
  }
}
