package dev.tandem.server.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.util.RawValue;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Reads and writes the bodies of requests and answers. */
final class Json {

  /** Arrays and objects in one another; what OpenAI's API knows takes 6. */
  static final int DEEPEST = 64;

  // A prompt of token ids has one each. A tree takes up to 100 bytes of memory for each.
  private static final int MOST_VALUES = 500_000;

  private static final JsonMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder()
                  .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION) // who is right of two?
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(DEEPEST)
                          .maxNumberLength(100)
                          .maxNameLength(1000)
                          .maxStringLength(Integer.MAX_VALUE) // as long as the body
                          .maxTokenCount(MOST_VALUES)
                          .build())
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private Json() {}

  static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  static byte[] bytes(JsonNode node) {
    try {
      return MAPPER.writeValueAsBytes(node);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException("a tree of JSON can always be written", e);
    }
  }

  /** A tree as a part of another one that is written already. */
  static RawValue raw(JsonNode node) {
    return new RawValue(new String(bytes(node), StandardCharsets.UTF_8));
  }

  /**
   * The object that a body is. What is wrong with one is told by its place alone: a body is
   * somebody's prompt.
   */
  static Fields read(byte[] body) {
    try {
      // Not by Jackson, which guesses UTF-16 and takes bytes that are no UTF-8.
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString();
      if (MAPPER.readTree(text) instanceof ObjectNode node) {
        return new Fields(node, "");
      }
      throw malformed("the body must be a JSON object: {...}");
    } catch (CharacterCodingException e) {
      throw malformed("the body is not valid UTF-8");
    } catch (StreamConstraintsException e) {
      throw malformed(
          "the body's JSON goes beyond the limits: %d levels, %d values, numbers of 100 digits"
              .formatted(DEEPEST, MOST_VALUES));
    } catch (JsonProcessingException e) {
      throw malformed(
          "the body is not valid JSON, or has a name twice in one object (line %d, column %d)"
              .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr()));
    }
  }

  private static HttpFailure malformed(String message) {
    return HttpFailure.of(HttpResponseStatus.BAD_REQUEST, "invalid_json", message);
  }
}
