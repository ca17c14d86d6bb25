package dev.tandem.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class NativeTest {

  @Test
  void passesBuffersFromTheirPositionOn() {
    ByteBuffer sum = floats(1, 2, 3);
    ByteBuffer addend = floats(10, 20, 30);
    assertEquals(Native.TD_OK, Native.td_add_f32(sum.position(4), addend.position(8), 1));
    assertEquals(1f, sum.getFloat(0));
    assertEquals(32f, sum.getFloat(4));
    assertEquals(3f, sum.getFloat(8));
  }

  @Test
  void refusesHeapBuffers() {
    ByteBuffer heap = ByteBuffer.allocate(64).position(8);
    assertThrows(IllegalArgumentException.class, () -> Native.td_add_f32(heap, floats(1), 1));
    assertThrows(IllegalArgumentException.class, () -> Native.td_add_f32(floats(1), heap, 1));
    assertThrows(IllegalArgumentException.class, () -> Native.td_add_f32(heap, heap, 1));
  }

  @Test
  void tellsWhatFailed() {
    assertEquals(Native.TD_INVALID_ARGUMENT, Native.td_add_f32(null, floats(1), 1));
    ByteBuffer text = ByteBuffer.allocateDirect(512);
    int length = Math.toIntExact(Native.td_error_message(text, text.capacity()));
    String message = StandardCharsets.UTF_8.decode(text.limit(length)).toString();
    assertTrue(message.contains("td_add_f32"), message);
  }

  @Test
  void viewsMemoryByItsAddress() {
    ByteBuffer memory = floats(1, 2, 3);
    ByteBuffer view = HostMemory.of(Native.td_address_of(memory.position(4)), 8);
    assertEquals(2f, view.getFloat(0));
    assertEquals(8, view.capacity());
    view.putFloat(4, 9f);
    assertEquals(9f, memory.getFloat(8));
    assertThrows(IllegalArgumentException.class, () -> HostMemory.of(0, 8));
    assertThrows(IllegalArgumentException.class, () -> HostMemory.of(4096, -1));
    assertThrows(IllegalArgumentException.class, () -> HostMemory.of(4096, 1L << 31));
  }

  @Test
  void needsNothingOfJavaCpp() {
    for (Class<?> used : new Class<?>[] {Native.class, HostMemory.class, Loader.class}) {
      for (Class<?> c = used; c != Object.class; c = c.getSuperclass()) {
        assertTrue(
            c.getName().startsWith("dev.tandem.runtime."), c + " is a superclass of " + used);
      }
    }
  }

  private static ByteBuffer floats(float... values) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.nativeOrder());
    buffer.asFloatBuffer().put(values);
    return buffer;
  }
}
