package dev.tandem.server.request;

/** Hears of orders, for metrics and logs; on the threads of the orders, so it must be quick. */
public interface DeskObserver {

  /** An order was accepted. */
  default void accepted(Order order) {}

  /** An order was not accepted. */
  default void refused(Order order, Refusal refusal) {}

  /** An accepted order has come to its end. */
  default void finished(Order order, Outcome outcome) {}

  /** An accepted order was given up. */
  default void failed(Order order, Refusal refusal) {}
}
