// What the page shows of a conversation. Knows no server; what is pressed it tells by the actions it was given.

import { show } from './markdown.js';

export const byId = (id) => document.getElementById(id);

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', '#icon-' + name);
  svg.append(use);
  return svg;
}

export function button(label, action, { iconName, className = 'plain' } = {}) {
  const node = document.createElement('button');
  node.type = 'button';
  node.className = className;
  if (iconName) node.append(icon(iconName));
  const text = document.createElement('span');
  text.append(label);
  node.append(text);
  node.addEventListener('click', action);
  return node;
}

/** Puts text into the clipboard, also where the page has no right to its newer API (plain HTTP, not from localhost). */
export async function copy(text, pressed) {
  let copied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'unseen';
    document.body.append(area);
    area.select();
    copied = document.execCommand('copy');
    area.remove();
    pressed.focus();
  }
  const label = pressed.querySelector('span') ?? pressed;
  if (pressed.dataset.label === undefined) pressed.dataset.label = label.textContent;
  label.textContent = copied ? 'Copied' : 'Not copied';
  clearTimeout(pressed.timer);
  pressed.timer = setTimeout(() => (label.textContent = pressed.dataset.label), 1500);
}

const ENDS = {
  length: 'reached the longest answer',
  stopped: 'stopped',
  interrupted: 'interrupted, as the page was left',
  broken: 'broken off',
};

const number = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** "38.2 tokens/s", "first token 120 ms", ...: what is known of it. */
function measuresOf({ measures = {}, end }) {
  const parts = [];
  const { tokensPerSecond: rate, firstTokenMs: first, tokens } = measures;
  if (rate) parts.push(`${rate < 100 ? rate.toFixed(1) : number.format(rate)} tokens/s`);
  if (first !== undefined && first !== null) parts.push(`first token ${first < 1000 ? `${Math.max(1, Math.round(first))} ms` : `${(first / 1000).toFixed(2)} s`}`);
  if (tokens) parts.push(`${number.format(tokens)} ${tokens === 1 ? 'token' : 'tokens'}`);
  if (ENDS[end]) parts.push(ENDS[end]);
  return parts;
}

/** One turn of the conversation as an article. */
export class TurnView {
  #text;
  #measures;
  #actions;
  #trouble;
  #turn;
  #busy = false;

  constructor(turn, modelName) {
    this.#turn = turn;
    const isUser = turn.role === 'user';
    this.node = document.createElement('article');
    this.node.className = 'turn ' + turn.role;
    const who = document.createElement('h2');
    who.className = 'who';
    who.append(isUser ? 'You' : modelName || 'Answer');
    this.node.setAttribute('aria-label', isUser ? 'You' : 'Answer');
    this.#text = document.createElement('div');
    this.#text.className = 'text';
    this.#trouble = document.createElement('div');
    this.#trouble.className = 'trouble';
    this.#trouble.hidden = true;
    const foot = document.createElement('div');
    foot.className = 'foot';
    this.#measures = document.createElement('p');
    this.#measures.className = 'measures';
    this.#actions = document.createElement('div');
    this.#actions.className = 'actions';
    foot.append(this.#measures, this.#actions);
    this.node.append(who, this.#text, this.#trouble, foot);
    this.draw();
  }

  /** Shows what the turn has become. */
  draw() {
    if (this.#turn.role === 'user') this.#text.textContent = this.#turn.text;
    else show(this.#text, this.#turn.text);
    this.#measures.replaceChildren(
      ...measuresOf(this.#busy ? { measures: this.#turn.measures } : this.#turn).map((part) => {
        const node = document.createElement('span');
        node.append(part);
        return node;
      }),
    );
  }

  /** Whether it is being written. Shows what has come, too. */
  set busy(busy) {
    this.#busy = busy;
    this.node.classList.toggle('busy', busy);
    this.node.classList.toggle('waiting', busy && this.#turn.text === '');
    this.node.setAttribute('aria-busy', String(busy));
    this.draw();
  }

  get hasText() {
    return this.#turn.text !== '';
  }

  get isTroubled() {
    return !this.#trouble.hidden;
  }

  /** Replaces the buttons below. */
  actions(buttons) {
    this.#actions.replaceChildren(...buttons);
  }

  /** Says what went wrong, with buttons; an empty message takes it away. Returns the node that holds the message. */
  trouble(message, buttons = []) {
    this.#trouble.hidden = message === '';
    const text = document.createElement('p');
    text.append(message);
    const row = document.createElement('div');
    row.className = 'buttons';
    row.append(...buttons);
    this.#trouble.replaceChildren(...(message === '' ? [] : [text, row]));
    return text;
  }
}

/** Tells a screen reader the answer in sentences, at most every few seconds, instead of letter by letter. */
export class Announcer {
  #node;
  #said = 0;
  #last = 0;

  constructor(node) {
    this.#node = node;
  }

  begin() {
    this.#said = 0;
    this.#last = performance.now();
  }

  say(message) {
    this.#node.textContent = message;
  }

  /** Whole sentences of the answer so far; with `end`, all that is left. */
  follow(text, end = false) {
    if (!end && performance.now() - this.#last < 2500) return;
    const fresh = text.slice(this.#said);
    const until = end ? fresh.length : Math.max(fresh.lastIndexOf('. '), fresh.lastIndexOf('\n'), fresh.lastIndexOf('! '), fresh.lastIndexOf('? ')) + 1;
    if (until <= 0) return;
    this.#said += until;
    this.#last = performance.now();
    this.say(fresh.slice(0, until).replace(/[*_`#|>]+/g, ''));
  }
}

/** Keeps the end of the page in view while it grows, until the reader scrolls up. */
export class Follower {
  #following = true;
  #top = 0; // of the view, when it was last looked at
  #button;

  constructor(button) {
    this.#button = button;
    const scrolled = () => {
      const page = document.documentElement;
      // Only the reader scrolls up.
      if (this.#atEnd()) this.#following = true;
      else if (page.scrollTop < this.#top) this.#following = false;
      this.#top = page.scrollTop;
      this.#show();
    };
    addEventListener('scroll', scrolled, { passive: true });
    addEventListener('resize', () => this.grown());
    button.addEventListener('click', () => this.follow());
  }

  #atEnd() {
    const page = document.documentElement;
    return page.scrollHeight - page.scrollTop - page.clientHeight < 48;
  }

  #show() {
    this.#button.hidden = this.#following || this.#atEnd();
  }

  follow() {
    this.#following = true;
    this.grown();
  }

  /** After the page became longer. */
  grown() {
    if (this.#following) {
      const page = document.documentElement;
      page.scrollTop = page.scrollHeight;
      this.#top = page.scrollTop;
    }
    this.#show();
  }
}
