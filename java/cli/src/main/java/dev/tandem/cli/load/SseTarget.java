package dev.tandem.cli.load;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedDeque;

/**
 * An OpenAI-compatible server: {@code /v1/completions} with a stream of events. Tandem's, or
 * another that takes prompts as token ids and {@code ignore_eos}.
 */
public final class SseTarget implements LoadTarget {

  // What servers that do not tell are taken to have: any model has as many tokens.
  private static final int FEW_TOKENS = 1000;
  private static final int LONGEST_ERROR = 1000;
  private static final List<String> VOCABULARY = List.of("vocabulary", "n_vocab");
  private static final List<String> CONTEXT =
      List.of("context_tokens", "max_model_len", "n_ctx", "n_ctx_train");

  private static final JsonFactory FACTORY = new JsonFactory();
  private static final String DATA = "data:"; // a blank may follow

  private final URI server;
  private final Optional<String> token;
  private final Duration timeout;
  private final Deque<HttpConnection> idle = new ConcurrentLinkedDeque<>();
  private final int vocabulary;
  private final int contextTokens;

  /**
   * @param server {@code http://host:port}
   * @param timeout for connecting, and for every silence
   * @throws UncheckedIOException if it cannot be reached, or does not answer {@code /v1/models}
   */
  public SseTarget(URI server, Optional<String> token, Duration timeout) {
    this.server = server;
    this.token = token;
    this.timeout = timeout;
    try (HttpConnection connection = new HttpConnection(server, token, timeout)) {
      int status = connection.send("GET", "/v1/models", "");
      String answer = connection.rest();
      if (status != 200) {
        throw new IOException("/v1/models answers " + status + ": " + cut(answer.strip()));
      }
      Map<String, Integer> numbers = numbers(answer);
      vocabulary = find(numbers, VOCABULARY).orElse(FEW_TOKENS);
      contextTokens = find(numbers, CONTEXT).orElse(Integer.MAX_VALUE);
    } catch (IOException e) {
      throw new UncheckedIOException(server + ": " + e.getMessage(), e);
    }
  }

  private static Optional<Integer> find(Map<String, Integer> numbers, List<String> names) {
    return names.stream()
        .filter(name -> numbers.getOrDefault(name, 0) > 0)
        .findFirst()
        .map(numbers::get);
  }

  /** All whole numbers of a document by their names, wherever they are. */
  private static Map<String, Integer> numbers(String document) throws IOException {
    Map<String, Integer> numbers = new HashMap<>();
    try (JsonParser json = FACTORY.createParser(document)) {
      for (JsonToken next = json.nextToken(); next != null; next = json.nextToken()) {
        if (next == JsonToken.VALUE_NUMBER_INT && json.currentName() != null) {
          long value = json.getLongValue();
          numbers.putIfAbsent(
              json.currentName(), (int) Math.min(Integer.MAX_VALUE, Math.max(0, value)));
        }
      }
    }
    return numbers;
  }

  @Override
  public int vocabulary() {
    return vocabulary;
  }

  @Override
  public int contextTokens() {
    return contextTokens;
  }

  @Override
  public Sample run(int[] prompt, int outputTokens) {
    String body =
        """
        {"prompt":%s,"max_tokens":%d,"temperature":0,"ignore_eos":true,"stream":true,\
        "stream_options":{"include_usage":true}}\
        """
            .formatted(Arrays.toString(prompt), outputTokens);
    Answer answer = new Answer();
    try {
      Optional<HttpConnection> kept = Optional.ofNullable(idle.pollFirst());
      // One that the server has given up meanwhile tells so by its first use.
      if (kept.isEmpty() || !run(kept.get(), answer, body)) {
        run(new HttpConnection(server, token, timeout), answer, body);
      }
    } catch (IOException e) {
      answer.error = Optional.of(cut(String.valueOf(e.getMessage())));
    }
    return answer.sample();
  }

  /** Whether anything came; never false of a connection that was not used before. */
  private boolean run(HttpConnection connection, Answer answer, String body) throws IOException {
    boolean fresh = !connection.hasAnswered();
    boolean kept = false;
    try {
      answer.read(connection, body);
      kept = connection.canBeKept();
      return true;
    } catch (SocketTimeoutException e) {
      throw e; // it is there, but silent
    } catch (IOException e) {
      if (fresh || connection.hasAnswered()) {
        throw e;
      }
      return false;
    } finally {
      if (kept) {
        idle.addFirst(connection);
      } else {
        connection.close();
      }
    }
  }

  private static String cut(String text) {
    return text.length() <= LONGEST_ERROR ? text : text.substring(0, LONGEST_ERROR) + "...";
  }

  /** What comes for one request. */
  private static final class Answer {
    private final long sent = System.nanoTime();
    private long first;
    private int pieces;
    private Optional<Integer> counted = Optional.empty();
    private Optional<String> error = Optional.empty();

    void read(HttpConnection connection, String body) throws IOException {
      int status = connection.send("POST", "/v1/completions", body);
      if (status != 200) {
        error = Optional.of("HTTP " + status + ": " + message(connection.rest()));
        return;
      }
      boolean done = false;
      for (Optional<String> line = connection.line(); line.isPresent(); line = connection.line()) {
        if (line.get().startsWith(DATA)) {
          long now = System.nanoTime();
          String data = line.get().substring(DATA.length()).strip();
          done |= data.equals("[DONE]");
          if (!data.equals("[DONE]")) {
            event(data, now);
          }
        }
      }
      if (!done && error.isEmpty()) {
        error = Optional.of("the stream ended without [DONE]");
      }
    }

    /** What an event has in its outermost object: an error, a piece of text, what was counted. */
    private void event(String data, long now) throws IOException {
      boolean hasChoice = false;
      try (JsonParser json = FACTORY.createParser(data)) {
        if (json.nextToken() != JsonToken.START_OBJECT) {
          throw new IOException("an event is no JSON object");
        }
        while (json.nextToken() == JsonToken.FIELD_NAME) {
          String name = json.currentName();
          JsonToken value = json.nextToken();
          if (name.equals("error") && value != JsonToken.VALUE_NULL) {
            error = Optional.of(message(data));
          } else if (name.equals("choices") && value == JsonToken.START_ARRAY) {
            hasChoice = json.nextToken() == JsonToken.START_OBJECT;
            if (hasChoice) {
              json.skipChildren();
              skipRest(json);
            }
          } else if (name.equals("usage") && value == JsonToken.START_OBJECT) {
            counted = Optional.ofNullable(numbers(data).get("completion_tokens")).or(() -> counted);
            json.skipChildren();
          } else {
            json.skipChildren();
          }
        }
      }
      if (hasChoice && pieces++ == 0) {
        first = now;
      }
    }

    /** To the end of the array that the parser is in. */
    private static void skipRest(JsonParser json) throws IOException {
      while (json.nextToken() != JsonToken.END_ARRAY) {
        json.skipChildren();
      }
    }

    /** The text of an error without what differs from request to request. */
    private static String message(String document) {
      String text = document;
      try (JsonParser parser = FACTORY.createParser(document)) {
        for (JsonToken next = parser.nextToken(); next != null; next = parser.nextToken()) {
          if (next == JsonToken.VALUE_STRING && "message".equals(parser.currentName())) {
            text = parser.getText();
            break;
          }
        }
      } catch (IOException e) {
        // It is no JSON: shown as it is.
      }
      return cut(text.strip()).replaceAll("\\d+", "N");
    }

    Sample sample() {
      long now = System.nanoTime();
      return new Sample(sent, pieces > 0 ? first : now, now, counted.orElse(pieces), error);
    }
  }

  @Override
  public void close() {
    idle.forEach(HttpConnection::close);
  }
}
