// The Markdown that models write, as DOM nodes: headings, lists, quotes, tables, code, emphasis, links. Text becomes
// text nodes and nothing else, so markup in it stays text; images are never loaded. Every loop is linear in the text
// but for a bounded nesting.

const DEEPEST = 6;

// No two neighbours that repeat may match the same character: the time for a long line would be more than linear.
const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})([^]*)$/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])(?:[ \t]+|$)/;
const TABLE_LINE = /^\|?[ \t]*:?-+:?(?:[ \t]*\|[ \t]*:?-+:?)*[ \t]*\|?$/; // without blanks around it

/**
 * Makes `container` show `text`. Called again with more of the same text, it keeps the blocks that did not change, so
 * that a selection in them lives on and a long answer costs no more per token than a short one to draw.
 */
export function show(container, text) {
  const blocks = split(text.replace(/\r\n?/g, '\n').split('\n'), 0);
  blocks.forEach((block, i) => {
    const old = container.childNodes[i];
    if (old !== undefined && old.source === block.source) return;
    const node = block.build();
    node.source = block.source;
    if (old === undefined) container.append(node);
    else old.replaceWith(node);
  });
  while (container.childNodes.length > blocks.length) container.lastChild.remove();
}

function append(parent, lines, depth) {
  for (const block of split(lines, depth)) parent.append(block.build());
  return parent;
}

// --- Blocks ---------------------------------------------------------------------------------------

/** Cuts lines into blocks: {source, build()}, where `build` makes the node. */
function split(lines, depth) {
  const blocks = [];
  let i = 0;
  while (i < lines.length) {
    if (lines[i].trim() === '') {
      i++;
      continue;
    }
    const [end, build] = blockAt(lines, i, depth);
    blocks.push({ source: lines.slice(i, end).join('\n'), build });
    i = end;
  }
  return blocks;
}

function blockAt(lines, i, depth) {
  const line = lines[i];
  const fence = FENCE.exec(line);
  if (fence) return code(lines, i, fence);
  const heading = HEADING.exec(line);
  if (heading) return [i + 1, () => inline(element('h' + Math.min(heading[1].length + 2, 6)), heading[2].trimEnd().replace(/(^|[ \t])#+$/, ''))];
  if (RULE.test(line)) return [i + 1, () => element('hr')];
  if (depth < DEEPEST && QUOTE.test(line)) {
    let end = i;
    while (end < lines.length && QUOTE.test(lines[end])) end++;
    return [end, () => append(element('blockquote'), lines.slice(i, end).map((each) => each.replace(QUOTE, '')), depth + 1)];
  }
  if (depth < DEEPEST && ITEM.test(line)) return list(lines, i, depth);
  if (isTable(lines, i)) return table(lines, i);
  let end = i + 1;
  while (end < lines.length && lines[end].trim() !== '' && !startsBlock(lines, end)) end++;
  return [end, () => inline(element('p'), lines.slice(i, end).map((each) => each.trim()).join('\n'))];
}

/** Whether a paragraph ends before this line. */
function startsBlock(lines, i) {
  const line = lines[i];
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line) || isTable(lines, i);
}

/** Up to the closing fence, or, while the answer is being written, to its end. */
function code(lines, i, [opening, fence, info]) {
  const closing = new RegExp(`^ {0,3}\\${fence[0]}{${fence.length},}[ \\t]*$`);
  const indent = opening.length - opening.trimStart().length;
  let end = i + 1;
  while (end < lines.length && !closing.test(lines[end])) end++;
  const content = lines.slice(i + 1, end).map((each) => each.slice(Math.min(indent, each.length - each.trimStart().length)));
  return [Math.min(end + 1, lines.length), () => codeBlock(content.join('\n'), info.trim().split(SPACE)[0])];
}

function codeBlock(text, language) {
  const figure = element('figure', 'code');
  const caption = element('figcaption');
  caption.append(language || 'text');
  const button = element('button', 'plain copy-code');
  button.type = 'button';
  button.append('Copy');
  button.setAttribute('aria-label', `Copy the ${language || 'text'}`);
  caption.append(button);
  const pre = element('pre');
  pre.tabIndex = 0; // scrolls sideways by keyboard
  pre.append(element('code'));
  pre.firstChild.append(text);
  figure.append(caption, pre);
  return figure;
}

function list(lines, i, depth) {
  const first = ITEM.exec(lines[i]);
  const ordered = /\d/.test(first[2]);
  const deepest = width(first[1]) + 1;
  const items = []; // of {lines, loose}
  let end = i;
  let inner = 0;
  while (end < lines.length) {
    const line = lines[end];
    const item = ITEM.exec(line);
    if (item && width(item[1]) <= deepest && /\d/.test(item[2]) === ordered && !RULE.test(line)) {
      inner = Math.min(width(item[0]), width(item[1]) + item[2].length + 4);
      items.push({ lines: [line.slice(item[0].length)], loose: false });
    } else if (line.trim() === '') {
      const next = lines.slice(end + 1, end + 3).find((each) => each.trim() !== '');
      if (next === undefined || !(indentOf(next) >= Math.min(inner, 2) || ITEM.test(next))) break;
      if (indentOf(next) >= Math.min(inner, 2)) items.at(-1).loose = true;
      items.at(-1).lines.push('');
    } else if (indentOf(line) >= Math.min(inner, 2)) {
      items.at(-1).lines.push(outdent(line, inner));
    } else if (lines[end - 1].trim() !== '' && !startsBlock(lines, end)) {
      items.at(-1).lines.push(line.trim()); // a paragraph that goes on
    } else {
      break;
    }
    end++;
  }
  const build = () => {
    const node = element(ordered ? 'ol' : 'ul');
    if (ordered && parseInt(first[2], 10) !== 1) node.start = parseInt(first[2], 10);
    for (const item of items) {
      const entry = append(element('li'), item.lines, depth + 1);
      const only = entry.firstChild;
      if (only?.tagName === 'P' && !item.loose) only.replaceWith(...only.childNodes);
      node.append(entry);
    }
    return node;
  };
  return [end, build];
}

const width = (text) => text.replace(/\t/g, '    ').length;
const indentOf = (line) => width(/^[ \t]*/.exec(line)[0]);
const outdent = (line, columns) => line.replace(/\t/g, '    ').slice(Math.min(columns, indentOf(line)));

const isTable = (lines, i) => lines[i].includes('|') && i + 1 < lines.length && lines[i + 1].includes('-') && lines[i + 1].includes('|') && TABLE_LINE.test(lines[i + 1].trim());

function cells(line) {
  const text = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return text.split(/(?<!\\)\|/).map((each) => each.trim().replaceAll('\\|', '|'));
}

function table(lines, i) {
  let end = i + 2;
  while (end < lines.length && lines[end].includes('|')) end++;
  const build = () => {
    const sides = cells(lines[i + 1]).map((each) => (each.endsWith(':') ? (each.startsWith(':') ? 'middle' : 'right') : ''));
    const row = (parent, line, tag) => {
      const node = parent.appendChild(element('tr'));
      cells(line)
        .slice(0, sides.length)
        .forEach((text, column) => node.append(inline(element(tag, sides[column]), text)));
    };
    const node = element('table');
    row(node.appendChild(element('thead')), lines[i], 'th');
    const rows = node.appendChild(element('tbody'));
    for (const line of lines.slice(i + 2, end)) row(rows, line, 'td');
    const frame = element('div', 'table');
    frame.tabIndex = 0;
    frame.append(node);
    return frame;
  };
  return [end, build];
}

// --- Inside a block -------------------------------------------------------------------------------

const SPECIAL = /[\\`*_~[!\nh]/g;
const URL_START = /https?:\/\/[^\s<>"'`]+/y;
const AFTER_URL = '.,;:!?*_~)]';
const SPACE = /\s/;
const WORD = /[\p{L}\p{N}_]/u;

/** Appends `text` to `parent` with its emphasis, code and links. Returns the parent. */
function inline(parent, text, depth = 0) {
  const missing = new Set(); // what is not closed anywhere further on
  let plain = 0;
  const flush = (end) => {
    if (end > plain) parent.append(text.slice(plain, end));
  };
  let i = 0;
  while (i < text.length) {
    SPECIAL.lastIndex = i;
    const next = SPECIAL.exec(text);
    if (next === null) break;
    i = next.index;
    const found = spanAt(text, i, depth, missing);
    if (found.node !== undefined) {
      flush(i);
      parent.append(found.node);
      plain = found.end;
    }
    i = found.end;
  }
  flush(text.length);
  return parent;
}

/** What begins at `i`: {end, node}, or {end} if it is text up to there. */
function spanAt(text, i, depth, missing) {
  switch (text[i]) {
    case '\n':
      return { end: i + 1, node: element('br') };
    case '\\':
      return /[!-/:-@[-`{-~]/.test(text[i + 1] ?? '') ? { end: i + 2, node: document.createTextNode(text[i + 1]) } : { end: i + 1 };
    case '`':
      return codeSpan(text, i, missing);
    case '*':
    case '_':
    case '~':
      return emphasis(text, i, depth, missing);
    case '[':
      return link(text, i, i + 1, depth);
    case '!':
      return text[i + 1] === '[' ? link(text, i, i + 2, depth) : { end: i + 1 };
    default:
      return bareLink(text, i);
  }
}

function runLength(text, i) {
  let end = i;
  while (text[end] === text[i]) end++;
  return end - i;
}

function codeSpan(text, i, missing) {
  const length = runLength(text, i);
  const from = i + length;
  const ticks = text.slice(i, from);
  if (missing.has(ticks)) return { end: from };
  for (let at = text.indexOf(ticks, from); at >= 0; at = text.indexOf(ticks, at)) {
    const run = runLength(text, at);
    if (run === length) {
      const node = element('code');
      const inside = text.slice(from, at).replaceAll('\n', ' ');
      node.append(inside.length > 2 && inside.startsWith(' ') && inside.endsWith(' ') ? inside.slice(1, -1) : inside);
      return { end: at + length, node };
    }
    at += run;
  }
  missing.add(ticks);
  return { end: from };
}

const EMPHASIS = { '*': ['em'], '**': ['strong'], '***': ['strong', 'em'], '_': ['em'], '__': ['strong'], '___': ['strong', 'em'], '~~': ['del'] };

function emphasis(text, i, depth, missing) {
  const length = runLength(text, i);
  const from = i + length;
  const mark = text.slice(i, from);
  const tags = EMPHASIS[mark];
  const inWord = (at) => text[i] === '_' && WORD.test(text[at] ?? '');
  if (tags === undefined || depth >= DEEPEST || missing.has(mark) || SPACE.test(text[from] ?? ' ') || inWord(i - 1)) return { end: from };
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at)) {
    const run = runLength(text, at);
    const end = at + run;
    // Three marks also close one or two, the others having been opened inside.
    if ((run === length || (run === 3 && length < 3)) && !SPACE.test(text[at - 1]) && !inWord(end)) {
      const outer = element(tags[0]);
      const inner = tags.length > 1 ? outer.appendChild(element(tags[1])) : outer;
      inline(inner, text.slice(from, end - length), depth + 1);
      return { end, node: outer };
    }
    at = end;
  }
  missing.add(mark);
  return { end: from };
}

/** [label](address "title"); an image is a link to it. Only the web's and mail's addresses. */
function link(text, i, from, depth) {
  const close = find(text, '](', from, 500);
  const end = close < 0 ? -1 : closing(text, close + 2);
  if (depth >= DEEPEST || end < 0) return { end: from };
  const address = text.slice(close + 2, end).trim().split(SPACE)[0];
  const node = anchor(address);
  if (node === undefined) return { end: from };
  inline(node, text.slice(from, close) || address, DEEPEST - 1);
  return { end: end + 1, node };
}

/** Where `part` is within so many characters, or -1. */
function find(text, part, from, within) {
  const at = text.slice(from, from + within).indexOf(part);
  return at < 0 ? -1 : from + at;
}

/** Where the address that begins at `i` ends: at the parenthesis that it did not open, or -1. */
function closing(text, i) {
  let open = 0;
  for (let at = i; at < Math.min(text.length, i + 2000); at++) {
    if (text[at] === '(') open++;
    else if (text[at] === ')' && open-- === 0) return at;
  }
  return -1;
}

function bareLink(text, i) {
  URL_START.lastIndex = i;
  const found = WORD.test(text[i - 1] ?? '') ? null : URL_START.exec(text);
  if (found === null) return { end: i + 1 };
  let length = found[0].length;
  while (AFTER_URL.includes(found[0][length - 1])) length--;
  const address = found[0].slice(0, length);
  const node = anchor(address);
  if (node === undefined) return { end: i + length };
  node.append(address);
  return { end: i + length, node };
}

function anchor(address) {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address) || !URL.canParse(address)) return undefined;
  const node = element('a');
  node.href = address;
  node.rel = 'noopener noreferrer';
  node.target = '_blank';
  node.title = address;
  return node;
}

function element(tag, name) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  return node;
}
