package dev.tandem.server.security;

import dev.tandem.server.request.Caller;
import java.util.Optional;

/** Knows the tokens. */
public interface Authenticator {

  /** Whether a token is needed at all. */
  boolean needsToken();

  /**
   * Who has this token; empty if nobody. Takes as long whatever the token is. Where none is needed,
   * every token is {@link Caller#ANYBODY}'s.
   */
  Optional<Caller> caller(String token);

  /** Everybody may ask. */
  static Authenticator open() {
    return new Authenticator() {
      @Override
      public boolean needsToken() {
        return false;
      }

      @Override
      public Optional<Caller> caller(String token) {
        return Optional.of(Caller.ANYBODY);
      }
    };
  }
}
