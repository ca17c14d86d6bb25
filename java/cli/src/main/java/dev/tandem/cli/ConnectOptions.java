package dev.tandem.cli;

import dev.tandem.client.ClientOptions;
import dev.tandem.client.ClientTls;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;

/** Which server is to do it, instead of this process. */
final class ConnectOptions {

  /** What a server was told when it was started. */
  private static final List<String> OF_THE_SERVER =
      List.of(
          "-m",
          "-t",
          "-b",
          "-c",
          "--device",
          "--gpu-memory",
          "--on-device-loss",
          "--no-repack",
          "--no-mmap",
          "--fast-f16",
          "--chat-template");

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
    ServerAddress server = ServerAddress.parse(address.orElseThrow());
    ClientOptions.Builder options =
        ClientOptions.to(server.host(), server.port()).connections(1).clientName("tandem-generate");
    ServerToken.of(tokenFile).ifPresent(options::token);
    if (tls || authorities.isPresent()) {
      authorities.ifPresent(file -> new TextInput(streams).bytes(authorities)); // as others' errors
      options.tls(new ClientTls(authorities));
    }
    return options.build();
  }
}
