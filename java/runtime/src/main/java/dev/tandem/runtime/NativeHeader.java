package dev.tandem.runtime;

import org.bytedeco.javacpp.annotation.NoException;
import org.bytedeco.javacpp.annotation.Properties;

/**
 * The superclass of the generated {@link Native}: it carries what JavaCPP wants to know about that
 * class, so that {@code Native} need not extend {@link NativeMapping} and with it JavaCPP's own
 * classes. The annotations are ignored at run time, where JavaCPP is absent.
 */
@Properties(inherit = NativeMapping.class)
@NoException
abstract class NativeHeader {}
