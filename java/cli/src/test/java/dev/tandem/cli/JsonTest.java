package dev.tandem.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** JSON documents. */
class JsonTest {

  @Test
  void isWhatJacksonsMapperWrites() throws JsonProcessingException {
    Map<String, Object> document = new LinkedHashMap<>();
    document.put("text", "a \"b\"\n\\ \u00e9 \uD83E\uDD9C \u0000 \u2028 \uFFFD");
    document.put("int", 1);
    document.put("long", Long.MIN_VALUE);
    document.put("double", 0.1);
    document.put("float", 0.1f);
    document.put("tiny", 1e-300);
    document.put("flag", true);
    document.put("ints", new int[] {1, -2});
    document.put("longs", new long[] {1L << 40});
    document.put("doubles", new double[] {1, 0.25});
    document.put("floats", new float[] {1e-5f});
    document.put("flags", new boolean[] {true, false});
    document.put("empty", List.of());
    document.put("nested", List.of(Map.of("key", List.of(1, "two")), Map.of()));
    String text = Json.text(document);
    ObjectMapper mapper = new ObjectMapper();
    assertEquals(mapper.valueToTree(document).toString(), mapper.readTree(text).toString());
    assertTrue(text.startsWith("{\n  \"text\" : "), text);
    assertTrue(text.endsWith("\n}\n"), text);
  }

  @Test
  void numbersThatJsonDoesNotHaveAreTexts() {
    assertEquals(
        "[ \"NaN\", \"-Infinity\" ]\n",
        Json.text(new double[] {Double.NaN, Double.NEGATIVE_INFINITY}));
  }

  @Test
  void otherTypesAreRefused() {
    assertThrows(IllegalArgumentException.class, () -> Json.text(Optional.empty()));
  }
}
