package dev.tandem.server.security;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Optional;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which hosts and origins are served. */
class AccessRulesTest {

  private static final AccessRules LOCAL = AccessRules.of(false, false, List.of(), List.of());
  private static final AccessRules OPEN =
      AccessRules.of(false, true, List.of("Box.example"), List.of("https://Chat.example"));
  private static final AccessRules TOKENS = AccessRules.of(true, true, List.of(), List.of());

  @ParameterizedTest
  @CsvSource({
    "localhost, true, true",
    "localhost:8080, true, true",
    "LOCALHOST:8080, true, true",
    "127.0.0.1:8080, true, true",
    "[::1], true, true",
    "[::1]:8080, true, true",
    "evil.example, false, false",
    "evil.example:8080, false, false",
    "localhost.evil.example, false, false",
    "127.0.0.1.evil.example, false, false",
    "localhost:8080:evil, false, false",
    "localhost:evil, false, false",
    "192.168.1.5:8080, false, true",
    "[fe80::1]:8080, false, true",
    "box.example:8080, false, true",
    "'', false, false",
    "':', false, false",
    "192.168.1, false, false"
  })
  void hosts(String host, boolean local, boolean open) {
    assertEquals(local, LOCAL.allowsHost(Optional.of(host)), "local");
    assertEquals(open, OPEN.allowsHost(Optional.of(host)), "insecure");
    assertEquals(true, TOKENS.allowsHost(Optional.of(host)), "with tokens");
  }

  @ParameterizedTest
  @CsvSource({
    "http://localhost:8080, localhost:8080, true",
    "https://localhost:8080, localhost:8080, true",
    "HTTP://LocalHost:8080, localhost:8080, true",
    "http://localhost:9999, localhost:8080, false",
    "http://127.0.0.1:8080, localhost:8080, false",
    "https://evil.example, localhost:8080, false",
    "https://chat.example, localhost:8080, true",
    "null, localhost:8080, false",
    "ftp://localhost:8080, localhost:8080, false"
  })
  void origins(String origin, String host, boolean allowed) {
    assertEquals(allowed, OPEN.allowsOrigin(Optional.of(origin), Optional.of(host)));
    assertEquals(true, TOKENS.allowsOrigin(Optional.of(origin), Optional.of(host)));
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void whatNoPageAsksHasNoOrigin(boolean token) {
    AccessRules rules = AccessRules.of(token, false, List.of(), List.of());
    assertEquals(true, rules.allowsOrigin(Optional.empty(), Optional.of("localhost")));
    assertEquals(token, rules.allowsHost(Optional.empty()));
    assertEquals(false, rules.allowsOrigin(Optional.of("http://a"), Optional.empty()) && !token);
  }

  @ParameterizedTest
  @CsvSource({"https://chat.example, true", "https://other.example, false"})
  void cors(String origin, boolean allowed) {
    assertEquals(allowed, OPEN.allowsCors(origin));
    assertEquals(true, AccessRules.of(false, false, List.of(), List.of("*")).allowsCors(origin));
    assertEquals(false, LOCAL.allowsCors(origin));
  }
}
