// The page's conduct: what happens when a message is sent, an answer comes, a key is pressed.

import { introduce } from './about.js';
import { askForToken, editSettings } from './dialogs.js';
import { chat, health, model, Trouble } from './server.js';
import * as store from './store.js';
import { Announcer, Follower, TurnView, button, byId, copy } from './view.js';

const prompt = byId('prompt');
const follower = new Follower(byId('latest'));
const announcer = new Announcer(byId('announcer'));

let turns = store.loadConversation();
let settings = store.loadSettings();
let token = store.loadToken();
let card = { name: '', sampling: {} };
let views = [];
let running = null; // the AbortController of the answer that is being written
let leaving = false; // the page is
let editing = false; // the last message is in the message box, to be sent instead

// --- The conversation -----------------------------------------------------------------------------

function draw() {
  views = turns.map((turn) => new TurnView(turn, card.name));
  byId('conversation').replaceChildren(...views.map((view) => view.node));
  refresh();
}

/** Shows what may be done now. */
function refresh() {
  byId('welcome').hidden = turns.length > 0;
  document.body.classList.toggle('empty', turns.length === 0);
  byId('send').hidden = running !== null;
  byId('stop').hidden = running === null;
  byId('send').disabled = prompt.value.trim() === '';
  byId('new-chat').disabled = turns.length === 0;
  const lastMessage = turns.findLastIndex((turn) => turn.role === 'user');
  views.forEach((view, i) => {
    const buttons = [];
    const isOver = running === null || i < turns.length - 1;
    if (isOver && view.hasText) buttons.push(button('Copy', (event) => copy(turns[i].text, event.currentTarget), { iconName: 'copy' }));
    if (running === null && i === lastMessage) buttons.push(button('Edit', edit, { iconName: 'edit' }));
    if (running === null && i === turns.length - 1 && !view.isTroubled) buttons.push(button('Try again', again, { iconName: 'again' }));
    view.actions(buttons);
  });
}

function add(turn) {
  const view = new TurnView(turn, card.name);
  turns.push(turn);
  views.push(view);
  byId('conversation').append(view.node);
  return view;
}

/** Takes away the turns from `i` on. */
function cut(i) {
  turns.length = Math.min(i, turns.length);
  views.splice(i).forEach((view) => view.node.remove());
}

function keep() {
  if (!store.saveConversation(turns)) notice('There is no room in this browser to keep the conversation over a reload.');
}

function send() {
  const text = prompt.value.trim();
  if (text === '' || running !== null) return;
  if (editing) cut(turns.findLastIndex((turn) => turn.role === 'user'));
  stopEditing();
  write('');
  notice('');
  add({ role: 'user', text });
  answer();
}

/** The last answer once more. */
function again() {
  if (running !== null) return;
  while (turns.at(-1)?.role === 'assistant') cut(turns.length - 1);
  if (turns.length > 0) answer();
  prompt.focus();
}

function edit() {
  const last = turns.findLastIndex((turn) => turn.role === 'user');
  if (last < 0 || running !== null) return;
  editing = true;
  write(turns[last].text);
  views.forEach((view, i) => view.node.classList.toggle('replaced', i >= last));
  notice('Sending replaces your last message.', { label: 'Leave it', action: () => { stopEditing(); write(''); } });
  prompt.focus();
}

function stopEditing() {
  if (!editing) return;
  editing = false;
  views.forEach((view) => view.node.classList.remove('replaced'));
  notice('');
}

function newChat() {
  const old = turns;
  running?.abort();
  running = null;
  stopEditing();
  turns = [];
  keep();
  draw();
  notice('A new chat.', {
    label: 'Back to the last one',
    action: () => {
      if (running !== null) return;
      turns = old.filter((turn) => turn.text !== '');
      keep();
      draw();
      notice('');
      follower.follow();
    },
  });
  prompt.focus();
}

// --- An answer ------------------------------------------------------------------------------------

/** Asks for an answer to the turns so far and writes it down as it comes. */
async function answer() {
  const messages = turns.filter((turn) => turn.text !== '').map((turn) => ({ role: turn.role, content: turn.text }));
  if (settings.system) messages.unshift({ role: 'system', content: settings.system });
  const turn = { role: 'assistant', text: '', end: 'interrupted' };
  const view = add(turn);
  const controller = new AbortController();
  const { signal } = controller;
  running = controller;
  leaving = false;
  view.busy = true;
  announcer.begin();
  refresh();
  follower.follow();
  keep();

  let failure;
  for (let attempt = 1; ; attempt++) {
    try {
      await stream(turn, view, messages, signal);
      failure = undefined;
    } catch (error) {
      failure = error;
      if (!signal.aborted && turn.text === '' && (await another(error, attempt, view, signal))) continue;
    }
    break;
  }

  if (leaving && failure) return; // ended on the way to another page, or to a reload
  if (signal.aborted) turn.end = 'stopped';
  else if (failure) turn.end = turn.text === '' ? undefined : 'broken';
  view.busy = false;
  if (signal.aborted || !failure) view.trouble('');
  else explain(view, failure);
  if (running === controller) {
    running = null;
    announcer.follow(turn.text, true);
    if (signal.aborted && turn.text === '') cut(turns.indexOf(turn)); // nothing came: as if not asked
    keep();
    refresh();
    follower.grown();
  }
}

async function stream(turn, view, messages, signal) {
  let frame = 0;
  let saved = performance.now();
  const paint = () => {
    frame = 0;
    view.busy = true;
    follower.grown();
  };
  try {
    for await (const part of chat({ messages, settings, modelName: card.name || undefined, token, signal })) {
      if (part.text === undefined) {
        turn.end = part.end;
        turn.measures = part.measures;
        return;
      }
      view.trouble('');
      turn.text += part.text;
      turn.measures = part.measures;
      announcer.follow(turn.text);
      frame ||= requestAnimationFrame(paint); // as often as the screen shows something new, not as often as a token comes
      if (performance.now() - saved > 1000) {
        saved = performance.now();
        keep();
      }
    }
  } finally {
    cancelAnimationFrame(frame);
  }
}

/** Whether to ask once more after what went wrong: once a token is given, or after the time that the server names. */
async function another(error, attempt, view, signal) {
  switch (error.kind) {
    case 'token':
      return askToken(signal);
    case 'loading':
      await countdown(view, signal, error.retryAfterSeconds ?? 2, error.message);
      return !signal.aborted;
    case 'busy':
      if (attempt > 8) return false;
      await countdown(view, signal, error.retryAfterSeconds ?? 2 ** attempt, error.message);
      return !signal.aborted;
    default:
      return false;
  }
}

/** Waits, telling how long; ends early when told to, or when the answer is stopped. */
function countdown(view, signal, seconds, message) {
  return new Promise((resolve) => {
    const due = performance.now() + seconds * 1000;
    const finish = () => {
      clearInterval(timer);
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const text = view.trouble(message, [button('Try now', finish), button('Give up', () => running?.abort())]);
    const left = document.createElement('span');
    left.className = 'countdown';
    text.append(' ', left);
    const tick = () => {
      const rest = Math.ceil((due - performance.now()) / 1000);
      left.textContent = rest > 0 ? `Trying again in ${rest} s.` : 'Trying again …';
      if (rest <= 0) finish();
    };
    const timer = setInterval(tick, 250);
    signal.addEventListener('abort', finish);
    announcer.say(`${message} Trying again in ${seconds} seconds.`);
    tick();
    follower.grown();
  });
}

function explain(view, error) {
  if (error.kind === 'lost') meet(); // tells when it is back
  const message = error instanceof Trouble ? error.message : 'Something went wrong in this page: ' + error.message;
  if (!(error instanceof Trouble)) console.error(error);
  view.trouble(message, [button('Try again', again)]);
  announcer.say(message);
}

// --- The server -----------------------------------------------------------------------------------

let meeting = null;

/** Finds out what is served; waits while it is being loaded, or while the server is away. */
function meet() {
  meeting ??= findModel().finally(() => (meeting = null));
}

async function findModel() {
  for (;;) {
    try {
      card = await model(token);
      break;
    } catch (error) {
      if (error.kind === 'token') {
        if (!(await askToken())) return notice('Without a token this server does not answer.', meetAgain('Enter a token'));
      } else if (error.kind === 'loading') {
        await loaded(error);
      } else if (error.kind === 'lost' || error.kind === 'busy') {
        notice(`${error.message} Trying again …`);
        await sleep((error.retryAfterSeconds ?? 2) * 1000);
      } else {
        return notice(error.message, meetAgain('Try again'));
      }
    }
  }
  if (!editing) notice('');
  introduce(card, (text) => {
    write(text);
    send();
    prompt.focus();
  });
}

const meetAgain = (label) => ({ label, action: () => { notice(''); meet(); } });

/** Shows how far loading is, until it is over, one way or the other. */
async function loaded({ message, progress = null }) {
  for (let state = { loading: true, message, progress }; state.loading; state = await health().catch(() => ({ loading: false }))) {
    notice(state.message, { progress: state.progress ?? null });
    await sleep(1000);
  }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A line above the message box; with `progress`, a bar (null: of unknown length). An empty message takes it away. */
function notice(message, { label, action, progress } = {}) {
  byId('notice').hidden = message === '';
  byId('notice-text').textContent = message;
  const bar = byId('notice-progress');
  bar.hidden = progress === undefined;
  if (progress === undefined || progress === null) bar.removeAttribute('value');
  else bar.value = progress;
  const press = byId('notice-action');
  press.hidden = label === undefined;
  press.textContent = label ?? '';
  press.onclick = action ?? null;
  if (message !== '' && progress === undefined) announcer.say(message);
}

// --- Dialogs --------------------------------------------------------------------------------------

/** Asks for a token; whether there is a new one. */
async function askToken(signal) {
  const given = await askForToken({ again: token !== '', signal });
  prompt.focus();
  if (given === undefined) return false;
  token = given;
  store.saveToken(token);
  return true;
}

function openSettings() {
  editSettings(settings, (changed) => {
    settings = changed;
    store.saveSettings(settings);
    showSettings();
  });
}

/** The button tells by a dot whether anything is set. */
function showSettings() {
  byId('open-settings').classList.toggle('changed', Object.keys(settings).length > 0);
}

// --- Keys and buttons -----------------------------------------------------------------------------

/** Puts text into the message box. */
function write(text) {
  prompt.value = text;
  typed();
}

function typed() {
  prompt.style.height = 'auto';
  prompt.style.height = prompt.scrollHeight + 'px';
  store.saveDraft(editing ? '' : prompt.value);
  byId('send').disabled = prompt.value.trim() === '';
}

// With a keyboard on the glass, Enter is how to begin a new line.
const byTouch = matchMedia('(pointer: coarse) and (hover: none)');

prompt.addEventListener('input', typed);
prompt.addEventListener('keydown', (event) => {
  if (event.isComposing) return;
  if (event.key === 'Enter' && !event.shiftKey && !byTouch.matches) {
    event.preventDefault();
    send();
  } else if (event.key === 'ArrowUp' && prompt.value === '') {
    event.preventDefault();
    edit();
  }
});

document.addEventListener('keydown', (event) => {
  if (event.isComposing || document.querySelector('dialog[open]')) return;
  if (event.key === 'Escape') {
    if (running !== null) running.abort();
    else if (editing) {
      stopEditing();
      write('');
    }
  } else if (event.key === '/' && !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest('input, textarea')) {
    event.preventDefault();
    prompt.focus();
  }
});

byId('composer').addEventListener('submit', (event) => {
  event.preventDefault();
  send();
});
byId('stop').addEventListener('click', () => {
  running?.abort();
  prompt.focus();
});
byId('new-chat').addEventListener('click', newChat);
byId('open-settings').addEventListener('click', openSettings);
byId('conversation').addEventListener('click', (event) => {
  const pressed = event.target.closest('.copy-code');
  if (pressed) copy(pressed.closest('figure').querySelector('pre').textContent, pressed);
});

// --- Theme ----------------------------------------------------------------------------------------

const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme ?? (systemIsDark.matches ? 'dark' : 'light')) === 'dark';

function showTheme() {
  byId('theme').setAttribute('aria-pressed', String(isDark()));
  byId('theme').title = isDark() ? 'To the light theme' : 'To the dark theme';
}

byId('theme').addEventListener('click', () => {
  const wanted = isDark() ? 'light' : 'dark';
  // What the system would choose too is no choice: it is followed again.
  const choice = (wanted === 'dark') === systemIsDark.matches ? null : wanted;
  if (choice === null) delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
  store.saveTheme(choice);
  showTheme();
});
systemIsDark.addEventListener('change', showTheme);

// --------------------------------------------------------------------------------------------------

addEventListener('beforeunload', () => (leaving = true));
addEventListener('pagehide', () => {
  // Browsers keep a page that is left for the way back, with its connections: nobody would read this one.
  leaving = true;
  store.saveConversation(turns);
  running?.abort();
});
addEventListener('pageshow', (event) => {
  if (event.persisted && running !== null) location.reload();
});

draw();
write(store.loadDraft());
showSettings();
showTheme();
follower.follow();
meet();
