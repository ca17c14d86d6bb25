package dev.tandem.text.chat;

/**
 * What a name stands for that has no value: it prints nothing and is false, and has no attributes.
 *
 * @param name the name, for messages
 */
record Undefined(String name) {}
