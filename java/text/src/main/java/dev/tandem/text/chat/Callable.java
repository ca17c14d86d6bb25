package dev.tandem.text.chat;

/** A value that a template can call: a macro, a function of ours, a method of a text or a list. */
@FunctionalInterface
interface Callable {
  Object call(Arguments arguments);
}
