package dev.tandem.engine;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** Keeps what a generation announces, and lets a test do something at every token. */
class Heard implements GenerationListener {

  final List<Integer> tokens = new ArrayList<>();
  private final ByteArrayOutputStream text = new ByteArrayOutputStream();
  private final IntConsumer atToken;

  Heard() {
    this(count -> {});
  }

  /**
   * @param atToken is told after each token how many there are
   */
  Heard(IntConsumer atToken) {
    this.atToken = atToken;
  }

  @Override
  public void token(int id) {
    tokens.add(id);
    atToken.accept(tokens.size());
  }

  @Override
  public void text(byte[] utf8, int offset, int length) {
    text.write(utf8, offset, length);
  }

  String text() {
    return text.toString(StandardCharsets.UTF_8);
  }
}
