package dev.tandem.server.config;

/** How lines of the log look. */
public enum LogFormat {
  /** For people. */
  TEXT,
  /** For programs: one JSON object per line. */
  JSON
}
