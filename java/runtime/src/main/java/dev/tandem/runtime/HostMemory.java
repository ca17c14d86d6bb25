package dev.tandem.runtime;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Memory that native code owns, as Java sees it. */
final class HostMemory {

  static {
    // Its initialiser loads the library.
    Native.td_abi_version();
  }

  private HostMemory() {}

  /**
   * The bytes at a native address as a direct buffer in native order. The buffer does not keep the
   * memory: its owner must outlive every use.
   *
   * @throws IllegalArgumentException if the address is 0 or the extent is negative or more than a
   *     buffer can have
   */
  static ByteBuffer of(long address, long bytes) {
    if (address == 0 || bytes < 0 || bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a view of "
              + bytes
              + " bytes at address "
              + address
              + ": need an address, and 0 to "
              + Integer.MAX_VALUE
              + " bytes");
    }
    return view(address, bytes).order(ByteOrder.nativeOrder());
  }

  private static native ByteBuffer view(long address, long bytes);
}
