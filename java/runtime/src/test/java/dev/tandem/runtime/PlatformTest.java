package dev.tandem.runtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlatformTest {

  @Test
  void namesTheLibrarysFolder() {
    assertEquals("linux-x86_64", Platform.of("Linux", "amd64").folder());
    assertEquals("linux-aarch64", Platform.of("Linux", "aarch64").folder());
  }

  @ParameterizedTest
  @CsvSource({"Linux,x86", "Linux,riscv64", "Mac OS X,aarch64", "Windows 11,amd64"})
  void saysWhatIsSupported(String os, String processor) {
    UnsatisfiedLinkError e =
        assertThrows(UnsatisfiedLinkError.class, () -> Platform.of(os, processor));
    for (String part : new String[] {os, processor, "Linux", "x86-64", "aarch64"}) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }
}
