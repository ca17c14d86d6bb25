package dev.tandem.server.request;

import java.util.List;

/** Tells several observers, one after the other. */
public record DeskObservers(List<DeskObserver> all) implements DeskObserver {

  public DeskObservers(DeskObserver... observers) {
    this(List.of(observers));
  }

  @Override
  public void accepted(Order order) {
    all.forEach(each -> each.accepted(order));
  }

  @Override
  public void refused(Order order, Refusal refusal) {
    all.forEach(each -> each.refused(order, refusal));
  }

  @Override
  public void finished(Order order, Outcome outcome) {
    all.forEach(each -> each.finished(order, outcome));
  }

  @Override
  public void failed(Order order, Refusal refusal) {
    all.forEach(each -> each.failed(order, refusal));
  }
}
