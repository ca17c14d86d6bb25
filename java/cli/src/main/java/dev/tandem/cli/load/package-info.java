/** Puts load on a server and tells how it held. Knows nothing of commands. */
package dev.tandem.cli.load;
