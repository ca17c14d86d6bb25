package dev.tandem.server.request;

import org.slf4j.MDC;

/** Puts into log lines whom they are about, as {@link MDC} values: never what was asked. */
public final class LogLines {

  private LogLines() {}

  /** Lines that are written while this runs, on this thread, are about a request. */
  public static void about(String request, Caller caller, Runnable action) {
    MDC.put(Desk.LOG_REQUEST, request);
    MDC.put(Desk.LOG_TENANT, caller.tenant());
    try {
      action.run();
    } finally {
      MDC.remove(Desk.LOG_REQUEST);
      MDC.remove(Desk.LOG_TENANT);
    }
  }
}
