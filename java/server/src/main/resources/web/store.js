// What outlives a reload: conversation, settings and token in this tab (sessionStorage), nothing of them beyond it.
// A browser that keeps nothing, or has no room left, is no error: the page then works until it is left.

const KEY = 'tandem.';

function read(name, otherwise) {
  try {
    const text = sessionStorage.getItem(KEY + name);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

function write(name, value) {
  try {
    if (value === null) sessionStorage.removeItem(KEY + name);
    else sessionStorage.setItem(KEY + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

const isTurn = (turn) =>
  turn !== null && typeof turn === 'object' && typeof turn.text === 'string' && turn.text !== '' && (turn.role === 'user' || turn.role === 'assistant');

/** The turns, oldest first: {role, text, end?, measures?}. */
export function loadConversation() {
  const turns = read('conversation', []);
  return Array.isArray(turns) ? turns.filter(isTurn) : [];
}

/** Returns whether there was room. */
export const saveConversation = (turns) => write('conversation', turns.length ? turns : null);

/** {temperature?, topP?, maxTokens?, system?}; what is absent is the server's choice. */
export const loadSettings = () => read('settings', {}) ?? {};
export const saveSettings = (settings) => write('settings', settings);

export const loadToken = () => read('token', '');
export const saveToken = (token) => write('token', token);

export const loadDraft = () => read('draft', '');
export const saveDraft = (text) => write('draft', text || null);

/** The theme alone is kept for good; `null` is the system's. */
export function saveTheme(theme) {
  try {
    if (theme === null) localStorage.removeItem(KEY + 'theme');
    else localStorage.setItem(KEY + 'theme', theme);
  } catch {
    // It holds until the page is left.
  }
}
