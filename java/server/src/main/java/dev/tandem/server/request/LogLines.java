package dev.tandem.server.request;

import java.util.Map;
import org.slf4j.MDC;

/** Puts into log lines whom they are about, as {@link MDC} values: never what was asked. */
public final class LogLines {

  private LogLines() {}

  /** Lines that are written while this runs, on this thread, are about a request. */
  public static void about(String request, Caller caller, Runnable action) {
    Map<String, String> before = MDC.getCopyOfContextMap();
    MDC.put(Desk.LOG_REQUEST, request);
    MDC.put(Desk.LOG_TENANT, caller.tenant());
    try {
      action.run();
    } finally {
      if (before == null) {
        MDC.clear();
      } else {
        MDC.setContextMap(before);
      }
    }
  }
}
