package dev.tandem.cli;

/**
 * What is to be done if the process is told to end meanwhile, by Ctrl-C for instance: the JVM then
 * waits for it, but not for the command's own {@code finally} blocks.
 */
final class AtExit implements AutoCloseable {

  private final Thread hook;
  private final boolean registered;

  AtExit(Runnable action) {
    hook = new Thread(action);
    registered = register(hook);
  }

  /** Whether it came too late: the process ends already, and the action will not be done. */
  boolean isTooLate() {
    return !registered;
  }

  @Override
  public void close() {
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The process ends, and the action is done or being done.
    }
  }

  private static boolean register(Thread hook) {
    try {
      Runtime.getRuntime().addShutdownHook(hook);
      return true;
    } catch (IllegalStateException e) {
      return false;
    }
  }
}
