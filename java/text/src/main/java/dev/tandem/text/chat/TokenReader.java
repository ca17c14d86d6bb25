package dev.tandem.text.chat;

import dev.tandem.text.chat.ExpressionScanner.Kind;
import dev.tandem.text.chat.ExpressionScanner.Token;
import java.util.BitSet;
import java.util.List;
import java.util.Set;

/** Goes through the tokens of an expression or a tag. */
class TokenReader {
  /** Words that are no names. */
  static final Set<String> RESERVED =
      Set.of(
          "and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False",
          "None");

  private final List<Token> tokens;
  private int at;

  TokenReader(List<Token> tokens) {
    this.tokens = tokens;
  }

  /** Adds the private characters of all texts to a set. */
  final void addPrivate(BitSet points) {
    for (Token token : tokens) {
      if (token.kind() == Kind.TEXT) {
        ContentAlphabet.addPrivate(token.text(), points);
      }
    }
  }

  /** The next token, which is not taken. */
  final Token peek() {
    return tokens.get(at);
  }

  /** A token behind the next one, or the end. */
  final Token peek(int ahead) {
    return tokens.get(Math.min(at + ahead, tokens.size() - 1));
  }

  /** Takes the next token; the end stays. */
  final Token next() {
    Token token = peek();
    at += isAtEnd() ? 0 : 1;
    return token;
  }

  /** Whether nothing is left. */
  final boolean isAtEnd() {
    return peek().kind() == Kind.END;
  }

  /** Rejects what is left. */
  final void requireEnd() {
    if (!isAtEnd()) {
      throw new TemplateFault(peek().shown() + " is not expected here");
    }
  }

  /** Takes a sign if it comes next. */
  final boolean skip(String sign) {
    boolean found = peek().is(sign);
    at += found ? 1 : 0;
    return found;
  }

  /** Takes a word if it comes next. */
  final boolean skipWord(String word) {
    boolean found = peek().isWord(word);
    at += found ? 1 : 0;
    return found;
  }

  final void require(String sign) {
    if (!skip(sign)) {
      throw new TemplateFault("'" + sign + "' is expected before " + peek().shown());
    }
  }

  final void requireWord(String word) {
    if (!skipWord(word)) {
      throw new TemplateFault("'" + word + "' is expected before " + peek().shown());
    }
  }

  /** The name of something that is set or defined. */
  final String name() {
    if (!isName(peek())) {
      throw new TemplateFault("a name is expected before " + peek().shown());
    }
    return next().text();
  }

  /** Whether a name, or several in parentheses, comes next. */
  final boolean startsName() {
    return peek().is("(") || isName(peek());
  }

  private static boolean isName(Token token) {
    return token.kind() == Kind.NAME && !RESERVED.contains(token.text());
  }
}
