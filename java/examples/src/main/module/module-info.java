/** What {@code dev.tandem.examples} needs where it is a module: each module that it names. */
module example {
  requires dev.tandem.engine;
  requires dev.tandem.text;
}
