// What the page tells of the model, and what it offers to begin with.

import { button, byId } from './view.js';

const CONVERSATION = {
  title: 'What shall we think about?',
  placeholder: 'Write a message',
  starters: ['Tell me a short story about a lighthouse', 'Why does a bicycle stay upright?', 'Write a haiku about rain'],
};

/** For a model that was taught no conversation: it goes on with what one begins. */
const CONTINUATION = {
  title: 'How does it begin?',
  placeholder: 'Begin a text; the model goes on',
  starters: ['Once upon a time', 'There was once a', 'One morning'],
};

/** Shows which model answers, and where it runs. `begin` gets the text of a starter that was pressed. */
export function introduce(card, begin) {
  document.title = `${card.name} · Tandem`;
  byId('model-name').textContent = card.name;
  byId('model-place').textContent = card.place ?? '';
  byId('where').textContent = location.host;
  byId('set-temperature').placeholder = card.sampling.temperature ?? '';
  byId('set-top-p').placeholder = card.sampling.top_p ?? '';
  document.querySelectorAll('.turn.assistant .who').forEach((who) => (who.textContent = card.name));
  const facts = [
    ['Model', card.name],
    ['Weights', [parameters(card.parameters), card.format].filter(Boolean).join(', ')],
    ['Context', card.contextTokens ? `${card.contextTokens.toLocaleString('en')} tokens` : ''],
    ['Runs on', card.place],
  ];
  byId('facts').replaceChildren(...facts.filter(([, value]) => value).map(fact));
  const { title, placeholder, starters } = card.isBase ? CONTINUATION : CONVERSATION;
  byId('welcome-title').textContent = title;
  byId('prompt').placeholder = placeholder;
  byId('starters').replaceChildren(
    ...starters.map((text) => {
      const item = document.createElement('li');
      item.append(button(text, () => begin(text), { className: 'starter' }));
      return item;
    }),
  );
}

function fact([name, value]) {
  const row = document.createElement('div');
  row.appendChild(document.createElement('dt')).append(name);
  row.appendChild(document.createElement('dd')).append(value);
  return row;
}

function parameters(count) {
  if (typeof count !== 'number') return '';
  const [scale, unit] = count >= 1e9 ? [1e9, 'billion'] : count >= 1e6 ? [1e6, 'million'] : [1e3, 'thousand'];
  return `${(count / scale).toLocaleString('en', { maximumSignificantDigits: 3 })} ${unit}`;
}
