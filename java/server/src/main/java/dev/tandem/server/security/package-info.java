/** Who may ask, and how the wire is kept private. */
package dev.tandem.server.security;
