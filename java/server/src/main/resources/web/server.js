// The server's HTTP API, as far as the page needs it: the models, whether one is loaded, and a streamed chat.

/**
 * Why there is no answer.
 *
 * kind: 'token' (401), 'loading' (503, while the model is being loaded), 'busy' (429, and any other 503), 'refused' (any
 * other status), 'lost' (no connection), 'broken' (the stream ended early, or reported an error).
 */
export class Trouble extends Error {
  constructor(kind, message, { retryAfterSeconds, progress } = {}) {
    super(message);
    this.kind = kind;
    this.retryAfterSeconds = retryAfterSeconds;
    this.progress = progress; // of loading, 0 to 1
  }
}

/**
 * Reads a stream of server-sent events: bytes in any portions, data out.
 *
 *   "data: {\"a\":" | " \"\xC3" | "\xA9\"}\n\nda" | "ta: 2\n\n"   ->   '{"a": "é"}', '2'
 *
 * Lines end with LF, CR or CRLF; an event ends with an empty line; several data lines are joined by LF; comments and
 * other fields are left out. An event without its empty line at the stream's end is none, as the standard has it.
 */
export class EventReader {
  #decoder = new TextDecoder('utf-8'); // drops the byte order mark
  #line = '';
  #data = null;
  #afterCarriageReturn = false;

  /** The data of each event that these bytes complete. */
  *feed(bytes) {
    const text = this.#decoder.decode(bytes, { stream: true });
    let start = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code !== 10 && code !== 13) {
        this.#afterCarriageReturn = false;
        continue;
      }
      if (code === 10 && this.#afterCarriageReturn) {
        // The second half of a CRLF, whose first half may have come with the bytes before.
        this.#afterCarriageReturn = false;
        start = i + 1;
        continue;
      }
      const line = this.#line + text.slice(start, i);
      this.#line = '';
      start = i + 1;
      this.#afterCarriageReturn = code === 13;
      const data = this.#take(line);
      if (data !== null) yield data;
    }
    this.#line += text.slice(start);
  }

  #take(line) {
    if (line === '') {
      const data = this.#data;
      this.#data = null;
      return data;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field === 'data') {
      let value = colon < 0 ? '' : line.slice(colon + 1);
      if (value.startsWith(' ')) value = value.slice(1);
      this.#data = this.#data === null ? value : this.#data + '\n' + value;
    }
    return null;
  }
}

async function ask(path, token, options = {}) {
  const headers = { ...options.headers };
  if (token) headers.Authorization = 'Bearer ' + token;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'same-origin' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Trouble('lost', 'The server cannot be reached.');
  }
  return response;
}

async function troubleOf(response) {
  let message;
  let code;
  try {
    ({ message, code } = JSON.parse(await response.text())?.error ?? {});
  } catch {
    // Not ours: a proxy's page, say. The status tells enough.
  }
  if (typeof message !== 'string' || message === '') message = `the server answered with ${`${response.status} ${response.statusText}`.trim()}`;
  return new Trouble(kindOf(response.status, code), sentence(message), { retryAfterSeconds: retryAfter(response), progress: fraction(message) });
}

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');

/** "the model is being loaded: 42 %" */
function fraction(message) {
  const percent = /(\d{1,3}) ?%/.exec(message);
  return percent === null ? undefined : Math.min(Number(percent[1]) / 100, 1);
}

/** A server that is overloaded, that ends, or of which a proxy finds nothing, says 503 too: that passes, or it does not. */
function kindOf(status, code) {
  if (status === 503) return code === 'model_loading' ? 'loading' : 'busy';
  return { 401: 'token', 429: 'busy' }[status] ?? 'refused';
}

/** Seconds; Retry-After may also be a date. */
function retryAfter(response) {
  const value = response.headers.get('Retry-After');
  if (value === null) return undefined;
  const seconds = /^\d+$/.test(value.trim()) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(Math.ceil(seconds), 1), 600) : undefined;
}

/** What is served: {name, place?, format?, parameters?, contextTokens?, isBase, sampling}. isBase: it goes on with texts. */
export async function model(token) {
  const response = await ask('/v1/models', token);
  if (!response.ok) throw await troubleOf(response);
  const entry = (await response.json())?.data?.[0] ?? {};
  const { placement, format, parameters, context_tokens: contextTokens, has_chat_template: chats, sampling = {} } = entry.meta ?? {};
  return { name: String(entry.id ?? 'model'), place: placement, format, parameters, contextTokens, isBase: chats === false, sampling };
}

/** Whether a model is being loaded: {loading}, with {message, progress?: 0 to 1} if it is. */
export async function health() {
  const response = await ask('/health', '');
  if (response.ok) return { loading: false };
  const trouble = await troubleOf(response);
  return { loading: trouble.kind === 'loading', progress: trouble.progress, message: trouble.message };
}

/**
 * Streams an answer: {text, measures} as it comes, then {end, measures}.
 *
 * end: 'stop' or 'length'. measures: {tokens, tokensPerSecond?, firstTokenMs?}, the server's where it tells.
 */
export async function* chat({ messages, settings, modelName, token, signal }) {
  const body = { model: modelName, messages, stream: true, stream_options: { include_usage: true } };
  if (settings.temperature !== undefined) body.temperature = settings.temperature;
  if (settings.topP !== undefined) body.top_p = settings.topP;
  if (settings.maxTokens !== undefined) body.max_tokens = settings.maxTokens;

  const clock = new Clock();
  const response = await ask('/v1/chat/completions', token, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream' },
    body: JSON.stringify(body),
    signal,
  });
  if (!response.ok) throw await troubleOf(response);

  let end;
  let last = {};
  let done = false;
  for await (const data of events(response)) {
    if (data === '[DONE]') {
      done = true;
      break;
    }
    const chunk = parse(data);
    if (chunk.error) {
      throw new Trouble('broken', sentence(String(chunk.error.message || 'the server reported an error')));
    }
    const choice = chunk.choices?.[0];
    const text = choice?.delta?.content;
    if (typeof text === 'string' && text !== '') {
      clock.tick();
      yield { text, measures: clock.soFar() };
    }
    end = choice?.finish_reason ?? end;
    last = { usage: chunk.usage ?? last.usage, timings: chunk.timings ?? last.timings };
  }
  if (!done && end === undefined) throw new Trouble('broken', 'The connection ended in the middle of the answer.');
  yield { end: end ?? 'stop', measures: clock.measures(last.usage, last.timings) };
}

async function* events(response) {
  const reader = response.body.getReader();
  const parser = new EventReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      yield* parser.feed(value);
    }
  } catch (error) {
    if (error.name === 'AbortError' || error instanceof Trouble) throw error;
    throw new Trouble('broken', 'The connection was lost in the middle of the answer.');
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(data) {
  try {
    return JSON.parse(data);
  } catch {
    throw new Trouble('broken', 'The server sent something that is not JSON.');
  }
}

/** The browser's own measures, for servers that give none; a piece of text counts as a token until the usage tells. */
class Clock {
  #asked = performance.now();
  #first;
  #last;
  #pieces = 0;

  tick() {
    this.#last = performance.now();
    this.#first ??= this.#last;
    this.#pieces++;
  }

  rate(tokens = this.#pieces) {
    const milliseconds = this.#last - this.#first;
    return tokens > 1 && milliseconds > 0 ? ((tokens - 1) * 1000) / milliseconds : undefined;
  }

  soFar() {
    return { tokensPerSecond: this.rate(), firstTokenMs: this.#first - this.#asked };
  }

  measures(usage, timings) {
    const tokens = usage?.completion_tokens ?? this.#pieces;
    return {
      tokens,
      tokensPerSecond: timings?.tokens_per_second ?? this.rate(tokens),
      firstTokenMs: timings?.time_to_first_token_ms ?? (this.#first === undefined ? undefined : this.#first - this.#asked),
    };
  }
}
