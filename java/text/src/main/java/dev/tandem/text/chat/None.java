package dev.tandem.text.chat;

/** The value {@code none} of a template. */
enum None {
  NONE
}
