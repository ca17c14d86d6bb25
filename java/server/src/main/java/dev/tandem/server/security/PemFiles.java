package dev.tandem.server.security;

import dev.tandem.server.config.SmallFile;
import java.io.ByteArrayInputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A private key and the certificates that go with it.
 *
 * @param chain the key's own certificate first
 */
record PemFiles(PrivateKey key, List<X509Certificate> chain) {

  private static final Pattern BLOCK =
      Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\\s]*)-----END \\1-----");

  private static final String REMEDY =
      "; 'openssl pkcs8 -topk8 -nocrypt -in KEY -out NEW' makes what is needed";

  /**
   * Reads both files.
   *
   * @throws SecurityFileException if they cannot be read, or do not belong together
   */
  static PemFiles read(Path certificateFile, Path keyFile) {
    List<X509Certificate> chain = certificates(certificateFile);
    PrivateKey key = key(keyFile);
    if (!belongTogether(key, chain.getFirst().getPublicKey())) {
      throw new SecurityFileException(
          "the key in %s is not that of the first certificate in %s"
              .formatted(keyFile, certificateFile));
    }
    return new PemFiles(key, chain);
  }

  private static List<X509Certificate> certificates(Path file) {
    List<X509Certificate> chain = new ArrayList<>();
    try {
      CertificateFactory factory = CertificateFactory.getInstance("X.509");
      Matcher blocks = BLOCK.matcher(text(file, "--tls-cert"));
      while (blocks.find()) {
        if (blocks.group(1).equals("CERTIFICATE")) {
          byte[] der = Base64.getMimeDecoder().decode(blocks.group(2));
          Certificate read = factory.generateCertificate(new ByteArrayInputStream(der));
          chain.add((X509Certificate) read);
        }
      }
    } catch (CertificateException | IllegalArgumentException e) {
      throw new SecurityFileException(
          file + ": certificate " + (chain.size() + 1) + " cannot be read");
    }
    if (chain.isEmpty()) {
      throw new SecurityFileException(
          file + ": no certificate is in there: one in PEM is expected, '-----BEGIN CERTIFICATE'");
    }
    return chain;
  }

  private static PrivateKey key(Path file) {
    Matcher blocks = BLOCK.matcher(text(file, "--tls-key"));
    while (blocks.find()) {
      String kind = blocks.group(1);
      if (kind.equals("PRIVATE KEY")) {
        return key(file, blocks.group(2));
      }
      if (kind.endsWith("PRIVATE KEY")) {
        throw new SecurityFileException(
            "%s: a key of the kind '%s' cannot be read%s".formatted(file, kind, REMEDY));
      }
    }
    throw new SecurityFileException(
        file + ": no key is in there: one in PEM is expected, '-----BEGIN PRIVATE KEY'");
  }

  private static PrivateKey key(Path file, String base64) {
    try {
      PKCS8EncodedKeySpec encoded = new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(base64));
      for (String algorithm : List.of("RSA", "EC", "EdDSA")) {
        try {
          return KeyFactory.getInstance(algorithm).generatePrivate(encoded);
        } catch (InvalidKeySpecException e) {
          // The next one.
        }
      }
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      // As below: what is in the file is not for the log.
    }
    throw new SecurityFileException(file + ": the key is neither RSA nor EC nor EdDSA, or damaged");
  }

  /** The JDK would notice at the first connection only. */
  private static boolean belongTogether(PrivateKey privateKey, PublicKey publicKey) {
    byte[] text = "tandem".getBytes(StandardCharsets.UTF_8);
    String algorithm =
        switch (privateKey.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> privateKey.getAlgorithm();
        };
    try {
      Signature signer = Signature.getInstance(algorithm);
      signer.initSign(privateKey);
      signer.update(text);
      byte[] signed = signer.sign();
      Signature verifier = Signature.getInstance(algorithm);
      verifier.initVerify(publicKey);
      verifier.update(text);
      return verifier.verify(signed);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }

  private static String text(Path file, String setting) {
    // Whatever people note between the blocks, in whatever encoding.
    return new String(
        SmallFile.bytes(file, setting, SecurityFileException::new), StandardCharsets.ISO_8859_1);
  }
}
