/**
 * What can be set of a server: one table of settings, from which the file's keys, the environment's
 * names, the flags, the help and the documentation are made.
 */
package dev.tandem.server.config;
