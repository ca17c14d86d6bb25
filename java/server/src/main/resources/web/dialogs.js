// The two dialogs: they ask, and give back what was said. Escape, or a press beside one, closes it.

import { byId } from './view.js';

for (const dialog of document.querySelectorAll('dialog')) {
  dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close(); // beside it
  });
}

let asking = null; // one dialog, however many wait for a token

/** The token that was given, or undefined. With `again`, the last one was wrong; the signal closes the dialog. */
export function askForToken({ again, signal }) {
  asking ??= new Promise((resolve) => {
    const dialog = byId('token');
    const value = byId('token-value');
    byId('token-trouble').hidden = !again;
    value.value = '';
    let given;
    byId('token-form').onsubmit = (event) => {
      event.preventDefault();
      given = value.value.trim();
      dialog.close();
    };
    const closed = () => {
      value.value = '';
      asking = null;
      resolve(given);
    };
    dialog.addEventListener('close', closed, { once: true });
    dialog.showModal();
    signal?.addEventListener('abort', () => dialog.close(), { once: true });
  });
  return asking;
}

const FIELDS = { temperature: 'set-temperature', topP: 'set-top-p', maxTokens: 'set-max-tokens' };

/** Shows the settings; `save` gets them as they were changed, without those that are left to the server. */
export function editSettings(settings, save) {
  for (const [name, id] of Object.entries(FIELDS)) byId(id).value = settings[name] ?? '';
  byId('set-system').value = settings.system ?? '';
  byId('settings-form').onsubmit = (event) => {
    event.preventDefault();
    const changed = {};
    for (const [name, id] of Object.entries(FIELDS)) {
      if (byId(id).value !== '') changed[name] = byId(id).valueAsNumber;
    }
    const system = byId('set-system').value.trim();
    if (system !== '') changed.system = system;
    byId('settings').close();
    save(changed);
  };
  byId('settings').showModal();
}

byId('settings-reset').addEventListener('click', () => {
  byId('settings-form').reset();
  byId('set-temperature').focus();
});
