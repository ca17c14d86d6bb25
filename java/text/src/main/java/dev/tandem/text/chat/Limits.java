package dev.tandem.text.chat;

import java.time.Duration;

/**
 * How much a template may do. Honest ones are far below: the largest known takes some 10 kB and
 * thousands of steps.
 *
 * @param source characters of the template itself
 * @param output characters that it may print, or put into one text, beside four times what the
 *     conversation has
 * @param elements elements of one list
 * @param work steps, characters and elements handled in all, beside 256 times what the conversation
 *     has
 * @param depth how deep tags, macros and expressions may be nested while they run
 * @param time how long it may take
 */
record Limits(int source, int output, int elements, long work, int depth, Duration time) {
  static final Limits DEFAULT =
      new Limits(1 << 18, 1 << 22, 1 << 17, 1 << 26, 1000, Duration.ofSeconds(10));
}
