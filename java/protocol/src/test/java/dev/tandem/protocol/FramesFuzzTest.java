package dev.tandem.protocol;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.Message;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Whatever bytes arrive in whatever pieces, they are messages or a {@link MalformedFrameException},
 * once; and no more is held than a frame's bytes.
 *
 * <p>Ordinary test runs replay the committed seeds (see {@link FuzzSeeds}). With {@code
 * JAZZER_FUZZ=1} in the environment Jazzer searches for inputs of its own, for as long as {@code
 * maxDuration}, or {@code JAZZER_MAX_DURATION} in the environment, says.
 */
class FramesFuzzTest {

  private static final int MAX = 512;

  /** A buffer grows by doubling, and the piece itself is there as well. */
  private static final int HELD = 4 * MAX;

  @FuzzTest(maxDuration = "5m")
  void messagesOrOneFailure(byte[] input) {
    if (input.length == 0) {
      return;
    }
    int piece = 1 + (input[0] & 0xff); // the first byte chooses the pieces; the stream is the rest
    byte[] stream = Arrays.copyOfRange(input, 1, input.length);
    Received whole = new Received(MAX).bytes(stream);
    Received pieces = new Received(MAX).inPieces(stream, piece);

    assertEquals(whole.messages, pieces.messages, "pieces make no difference");
    assertEquals(whole.failures.size(), pieces.failures.size());
    assertTrue(pieces.most() <= HELD, pieces.most() + " bytes are held");
    for (Received received : List.of(whole, pieces)) {
      assertTrue(received.failures.size() <= 1, received.failures.toString());
      for (Throwable failure : received.failures) {
        assertInstanceOf(MalformedFrameException.class, failure);
      }
      received.close();
      assertEquals(0, received.held(), "bytes are held when the connection has ended");
    }

    for (Message message : whole.messages) {
      Received again = new Received(Integer.MAX_VALUE - 4).bytes(Received.frame(message));
      assertEquals(List.of(message), again.messages);
      again.close();
    }
  }

  @Test
  void seedsAreThoseThatTheCodeMakes() throws IOException {
    try (Stream<Path> files = Files.list(FuzzSeeds.FOLDER)) {
      List<String> found = files.map(file -> file.getFileName().toString()).toList();
      assertTrue(found.containsAll(FuzzSeeds.all().keySet()), found.toString());
    }
    for (Map.Entry<String, byte[]> seed : FuzzSeeds.all().entrySet()) {
      Path file = FuzzSeeds.FOLDER.resolve(seed.getKey());
      assertArrayEquals(seed.getValue(), Files.readAllBytes(file), file.toString());
    }
  }
}
