/** What a server tells of itself in numbers, for Prometheus. */
package dev.tandem.server.metrics;
