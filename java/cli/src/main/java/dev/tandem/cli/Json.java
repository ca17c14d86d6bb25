package dev.tandem.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.Map;

/**
 * JSON documents for standard output. Written by Jackson's generator, without its object mapper:
 * that takes 100 ms at a start to find out what the few types here are.
 */
final class Json {

  private Json() {}

  /** A document of maps, lists, arrays, texts and numbers, indented, ended by a line feed. */
  static String text(Object document) {
    StringWriter text = new StringWriter();
    try (JsonGenerator out = new JsonFactory().createGenerator(text)) {
      out.setPrettyPrinter(new DefaultPrettyPrinter());
      write(document, out);
    } catch (IOException e) {
      throw new UncheckedIOException(e); // memory does not fail
    }
    return text.append('\n').toString();
  }

  private static void write(Object value, JsonGenerator out) throws IOException {
    switch (value) {
      case Map<?, ?> map -> {
        out.writeStartObject();
        for (Map.Entry<?, ?> entry : map.entrySet()) {
          out.writeFieldName(entry.getKey().toString());
          write(entry.getValue(), out);
        }
        out.writeEndObject();
      }
      case Collection<?> list -> {
        out.writeStartArray();
        for (Object element : list) {
          write(element, out);
        }
        out.writeEndArray();
      }
      case int[] array -> out.writeArray(array, 0, array.length);
      case long[] array -> out.writeArray(array, 0, array.length);
      case double[] array -> out.writeArray(array, 0, array.length);
      case float[] array -> {
        out.writeStartArray();
        for (float number : array) {
          out.writeNumber(number);
        }
        out.writeEndArray();
      }
      case boolean[] array -> {
        out.writeStartArray();
        for (boolean flag : array) {
          out.writeBoolean(flag);
        }
        out.writeEndArray();
      }
      case String text -> out.writeString(text);
      case Boolean flag -> out.writeBoolean(flag);
      case Integer number -> out.writeNumber(number);
      case Long number -> out.writeNumber(number);
      case Float number -> out.writeNumber(number);
      case Double number -> out.writeNumber(number);
      default -> throw new IllegalArgumentException("no JSON: " + value.getClass());
    }
  }
}
