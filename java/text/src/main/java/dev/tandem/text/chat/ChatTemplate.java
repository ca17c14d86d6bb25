package dev.tandem.text.chat;

import dev.tandem.model.gguf.GgufMetadata;
import dev.tandem.model.gguf.StringTable;
import dev.tandem.text.TextSpan;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Makes a prompt of a conversation, as the model was trained to read one.
 *
 * <p>The prompt comes in spans: what the template wrote, in which the names of special tokens are
 * those tokens, and what the messages say, in which they are text, whatever it is and whatever the
 * template does with it. Their texts, joined, are exactly what the template prints.
 *
 * <p>A template is a program from a stranger: it sees the conversation and a few variables, and
 * nothing else; what it may print and how long it may take has limits. It is read when it first
 * renders. Immutable and safe for many threads.
 */
public final class ChatTemplate {
  private static final String KEY = "tokenizer.chat_template";
  private static final String TOKENS = "tokenizer.ggml.tokens";

  /** Roles that are part of a template's language; any other role is as untrusted as a content. */
  private static final Set<String> ROLES =
      Set.of("assistant", "developer", "function", "ipython", "model", "system", "tool", "user");

  private final Optional<String> source;
  private final String bosToken;
  private final String eosToken;
  private final Limits limits;
  private volatile Optional<ParsedTemplate> parsed = Optional.empty();

  private ChatTemplate(Optional<String> source, String bosToken, String eosToken, Limits limits) {
    this.source = source;
    this.bosToken = bosToken;
    this.eosToken = eosToken;
    this.limits = limits;
  }

  /** The template of a model, if it has one: of several, its default. */
  public static Optional<ChatTemplate> of(GgufMetadata metadata) {
    return metadata
        .findString(KEY)
        .or(() -> metadata.findString(KEY + ".default"))
        .filter(source -> !source.isBlank())
        .map(source -> of(source, metadata));
  }

  /**
   * A template for a model, instead of its own.
   *
   * @param source in the language of Jinja
   */
  public static ChatTemplate of(String source, GgufMetadata metadata) {
    return of(
        source,
        token(metadata, "tokenizer.ggml.bos_token_id"),
        token(metadata, "tokenizer.ggml.eos_token_id"));
  }

  /**
   * A template.
   *
   * @param source in the language of Jinja
   * @param bosToken the name of the token that begins a text; may be empty
   * @param eosToken the name of the token that ends a text; may be empty
   */
  public static ChatTemplate of(String source, String bosToken, String eosToken) {
    return of(source, bosToken, eosToken, Limits.DEFAULT);
  }

  static ChatTemplate of(String source, String bosToken, String eosToken, Limits limits) {
    return new ChatTemplate(Optional.of(source), bosToken, eosToken, limits);
  }

  /**
   * What stands in for a template where a model has none: the contents joined by line feeds,
   * without roles.
   */
  public static ChatTemplate plain() {
    return new ChatTemplate(Optional.empty(), "", "", Limits.DEFAULT);
  }

  /** Whether there is no template, so that the model was hardly trained for conversations. */
  public boolean isBaseModel() {
    return source.isEmpty();
  }

  private static String token(GgufMetadata metadata, String key) {
    OptionalLong id = metadata.findInteger(key);
    Optional<StringTable> tokens = metadata.findStrings(TOKENS);
    return id.isPresent()
            && tokens.isPresent()
            && id.getAsLong() >= 0
            && id.getAsLong() < tokens.get().size()
        ? tokens.get().string((int) id.getAsLong())
        : "";
  }

  /**
   * The prompt of a conversation. Where the template refuses it, and it begins with a system
   * message, the system's text is put before the first user's, with a line feed between.
   *
   * @throws ChatTemplateException if the template is none, refuses the conversation, or fails
   */
  public List<TextSpan> render(List<ChatMessage> messages, ChatOptions options) {
    if (messages.isEmpty()) {
      throw new ChatTemplateException("a conversation without messages has no prompt");
    }
    if (source.isEmpty()) {
      return joined(messages);
    }
    ParsedTemplate template = parsed(source.get());
    try {
      return render(template, messages, options);
    } catch (ParsedTemplate.RefusedException e) {
      Optional<List<ChatMessage>> merged = withoutSystem(messages);
      if (merged.isEmpty()) {
        throw new ChatTemplateException(e.getMessage());
      }
      try {
        return render(template, merged.get(), options);
      } catch (ParsedTemplate.RefusedException again) {
        throw new ChatTemplateException(again.getMessage());
      }
    }
  }

  private static List<TextSpan> joined(List<ChatMessage> messages) {
    List<TextSpan> spans = new ArrayList<>();
    for (ChatMessage message : messages) {
      spans.add(new TextSpan((spans.isEmpty() ? "" : "\n") + message.content(), false));
    }
    return List.copyOf(spans);
  }

  /** Two threads may both read it; either's work will do. */
  private ParsedTemplate parsed(String text) {
    if (parsed.isEmpty()) {
      parsed = Optional.of(TemplateReader.read(text, limits));
    }
    return parsed.get();
  }

  private static Optional<List<ChatMessage>> withoutSystem(List<ChatMessage> messages) {
    List<ChatMessage> others = new ArrayList<>(messages);
    if (!others.removeFirst().role().equals("system")) {
      return Optional.empty();
    }
    for (int i = 0; i < others.size(); i++) {
      ChatMessage message = others.get(i);
      if (message.role().equals("user")) {
        others.set(i, ChatMessage.user(messages.getFirst().content() + "\n" + message.content()));
        return Optional.of(others);
      }
    }
    return Optional.empty();
  }

  private List<TextSpan> render(
      ParsedTemplate template, List<ChatMessage> messages, ChatOptions options) {
    long given = 0;
    for (ChatMessage message : messages) {
      given += message.role().length() + message.content().length();
    }
    for (Object value : options.variables().values()) {
      given += characters(value);
    }
    return template.render(
        given,
        List.of(bosToken, eosToken),
        options.now(),
        (scope, alphabet) -> define(scope, alphabet, messages, options));
  }

  private void define(
      Scope scope, ContentAlphabet alphabet, List<ChatMessage> messages, ChatOptions options) {
    List<Object> dicts = new ArrayList<>();
    for (ChatMessage message : messages) {
      Dict dict = new Dict();
      String role = message.role();
      dict.put("role", ROLES.contains(role) ? role : alphabet.seal(role));
      dict.put("content", alphabet.seal(message.content()));
      dicts.add(dict);
    }
    scope.put("messages", dicts);
    scope.put("bos_token", bosToken);
    scope.put("eos_token", eosToken);
    scope.put("add_generation_prompt", options.addGenerationPrompt());
    scope.put("enable_thinking", options.enableThinking());
    scope.put("drop_thinking", false);
    scope.put("functions", "");
    scope.put("date_string", written(options, "dd MMM yyyy"));
    scope.put("datetime", written(options, "MMM dd yyyy"));
    options.variables().forEach((name, value) -> scope.put(name, sealed(value, alphabet)));
  }

  private static String written(ChatOptions options, String pattern) {
    return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(options.now());
  }

  private static Object sealed(Object value, ContentAlphabet alphabet) {
    return switch (value) {
      case String text -> alphabet.seal(text);
      case List<?> list -> {
        List<Object> elements = new ArrayList<>();
        list.forEach(element -> elements.add(sealed(element, alphabet)));
        yield elements;
      }
      case Map<?, ?> map -> {
        Dict dict = new Dict();
        map.forEach((key, element) ->
            dict.put(key, alphabet.seal((String) key), sealed(element, alphabet)));
        yield dict;
      }
      default -> value;
    };
  }

  private static long characters(Object value) {
    return switch (value) {
      case String text -> text.length();
      case List<?> list -> list.stream().mapToLong(ChatTemplate::characters).sum();
      case Map<?, ?> map ->
          map.entrySet().stream()
              .mapToLong(entry -> characters(entry.getKey()) + characters(entry.getValue()))
              .sum();
      default -> 1;
    };
  }
}
