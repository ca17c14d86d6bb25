package dev.tandem.runtime;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * How JavaCPP turns {@code native/include/tandem.h} into {@link Native}. Used while building only.
 *
 * <p>Memory is passed as {@link java.nio.Buffer}: for that type JavaCPP takes the address of a
 * direct buffer and adds its position, and generates no other way (for {@code ByteBuffer} it would
 * copy a heap buffer's array back and forth). The position is counted in bytes, so the buffers must
 * be byte buffers.
 */
@Properties(
    value = @Platform(include = "tandem.h", library = "jnitandem"),
    target = "dev.tandem.runtime.Native",
    helper = "dev.tandem.runtime.NativeHeader")
public final class NativeMapping implements InfoMapper {

  @Override
  public void map(InfoMap infos) {
    infos
        .put(new Info("TD_API").cppTypes().annotations())
        .put(new Info("void").valueTypes("void").pointerTypes("@Cast(\"void*\") java.nio.Buffer"))
        .put(new Info("const void").pointerTypes("@Cast(\"const void*\") java.nio.Buffer"));
  }
}
