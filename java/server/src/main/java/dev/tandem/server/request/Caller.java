package dev.tandem.server.request;

/**
 * Who asks.
 *
 * @param tenant whose token it was; "" where none is needed
 * @param client who it is for among those that share a token; "" = unknown
 * @param highestPriority that the token allows
 */
public record Caller(String tenant, String client, int highestPriority) {

  /** Where no token is needed. */
  public static final Caller ANYBODY = new Caller("", "", Integer.MAX_VALUE);

  /** The same caller, for one of its clients. */
  public Caller forClient(String name) {
    return new Caller(tenant, name, highestPriority);
  }
}
