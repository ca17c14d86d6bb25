/** A model as a service: the binary protocol and the OpenAI-compatible HTTP API in one process. */
package dev.tandem.server;
