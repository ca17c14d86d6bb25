package dev.tandem.server.request;

/** An order that was accepted. */
public interface Ticket {

  /** Ends it as soon as possible; its reply hears when. Afterwards does nothing. */
  void cancel();
}
