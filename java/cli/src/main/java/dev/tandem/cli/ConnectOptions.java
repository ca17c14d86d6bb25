package dev.tandem.cli;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.ClientTls;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** Which server is to do it, instead of this process. */
final class ConnectOptions {

  /** Never an argument: those are for all users of a machine to see. */
  private static final String TOKEN_VARIABLE = "TANDEM_TOKEN";

  /** {@code host:port}, {@code [2001:db8::1]:port}. */
  private static final Pattern ADDRESS =
      Pattern.compile("(?:\\[([0-9a-fA-F:.]+)]|([^\\s:\\[\\]]+)):(\\d{1,5})");

  /** What a server was told when it was started. */
  private static final List<String> OF_THE_SERVER =
      List.of("-m", "-t", "-b", "-c", "--no-repack", "--no-mmap", "--fast-f16", "--chat-template");

  @Option(
      names = "--connect",
      paramLabel = "HOST:PORT",
      description =
          "Let a server generate ('tandem serve', its port of the binary protocol). Where it wants"
              + " a token: --token-file, or the variable TANDEM_TOKEN.")
  private Optional<String> address = Optional.empty();

  @Option(
      names = "--token-file",
      paramLabel = "FILE",
      description = "With --connect: a file whose one line is the token.")
  private Optional<Path> tokenFile = Optional.empty();

  @Option(names = "--tls", description = "With --connect: talk to the server by TLS.")
  private boolean tls;

  @Option(
      names = "--ca",
      paramLabel = "FILE",
      description =
          "With --connect: by TLS, and trust the certificates of this PEM file instead of the"
              + " JDK's.")
  private Optional<Path> authorities = Optional.empty();

  /**
   * Whether a server is to do it.
   *
   * @param words what was typed: options that make no sense then are refused
   */
  boolean isWanted(ParseResult words) {
    if (address.isEmpty()) {
      if (tls || authorities.isPresent() || tokenFile.isPresent()) {
        String named = tokenFile.isPresent() ? "--token-file" : tls ? "--tls" : "--ca";
        throw Failure.usage(named + " is for a server: add --connect HOST:PORT");
      }
      return false;
    }
    for (OptionSpec option : words.matchedOptions()) {
      OF_THE_SERVER.stream()
          .filter(name -> List.of(option.names()).contains(name))
          .findFirst()
          .ifPresent(name -> {
            throw Failure.usage(
                name + " is decided where the server is started: leave it out with --connect");
          });
    }
    return true;
  }

  /** The server, and how to talk to it. */
  ClientOptions client(Streams streams) {
    Matcher parts = ADDRESS.matcher(address.orElseThrow());
    int port = parts.matches() ? Integer.parseInt(parts.group(3)) : 0;
    if (port < 1 || port >= 1 << 16) {
      throw Failure.value(
          "--connect",
          "'" + Printable.line(address.get(), 60) + "'",
          "a host, a colon, and a port from 1 to 65535: localhost:8077");
    }
    String host = parts.group(1) == null ? parts.group(2) : parts.group(1);
    ClientOptions.Builder options =
        ClientOptions.to(host, port).connections(1).clientName("tandem-generate");
    token(streams).ifPresent(options::token);
    if (tls || authorities.isPresent()) {
      authorities.ifPresent(file -> new TextInput(streams).bytes(authorities)); // as others' errors
      options.tls(new ClientTls(authorities));
    }
    return options.build();
  }

  private Optional<String> token(Streams streams) {
    if (tokenFile.isEmpty()) {
      return Optional.ofNullable(System.getenv(TOKEN_VARIABLE)).filter(token -> !token.isEmpty());
    }
    String token = new TextInput(streams).text(tokenFile).strip();
    if (token.isEmpty() || token.lines().count() > 1) {
      throw new Failure(tokenFile.get() + ": one line is wanted, with the token");
    }
    return Optional.of(token);
  }
}
