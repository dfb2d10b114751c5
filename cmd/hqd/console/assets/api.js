// What the page asks of headquarters, and small things to build it with. Text
// from outside becomes text and never markup.
export let me = null;

export async function load() {
  me = await get('/api/me');
  return me;
}

export const may = (right) => me.rights.includes(right);

async function ask(method, path, body) {
  const headers = method === 'GET' ? {} : {'Content-Type': 'application/json', 'X-Csrf-Token': me.csrf};
  const answer = await fetch(path, {method, headers, body: method === 'GET' ? undefined : JSON.stringify(body ?? {})});
  if (answer.status === 401) {
    over();
  }
  const text = await answer.text();
  let value = {};
  try {
    value = JSON.parse(text);
  } catch { /* no answer of ours */ }
  if (!answer.ok) {
    throw new Error(value.error || `headquarters answers ${answer.status}`);
  }
  return value;
}

export const get = (path) => ask('GET', path);
export const post = (path, body) => ask('POST', path, body);

// over leaves nothing of a session on the screen.
export function over() {
  document.querySelector('main').replaceChildren();
  location.replace('/login#over');
}

// el makes an element with attributes, listeners and children.
export function el(tag, set, ...children) {
  return fill(document.createElement(tag), set, children);
}

export function svg(tag, set, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), set, children);
}

function fill(e, set, children) {
  for (const [k, v] of Object.entries(set || {})) {
    if (k.startsWith('on')) {
      e.addEventListener(k.slice(2), v);
    } else if (v === true) {
      e.setAttribute(k, '');
    } else if (v !== false && v !== undefined && v !== null) {
      e.setAttribute(k, v);
    }
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

export const $ = (id) => document.getElementById(id);

// say is a word of the records in an officer's words.
export const say = (word) => me.words[word]?.is ?? String(word ?? '').replaceAll('_', ' ');
export const advice = (word) => me.words[word]?.do ?? '';

export const clock = (t) => new Date(t).toLocaleTimeString('en-GB');

// ago is how long ago, by headquarters' clock.
let skew = 0;
export function setNow(t) {
  skew = new Date(t) - Date.now();
}
export const seconds = (t) => Math.max(0, Math.round((Date.now() + skew - new Date(t)) / 1000));
export function ago(t) {
  const s = seconds(t);
  if (s < 100) {
    return `${s} s`;
  }
  return s < 6000 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`;
}

let fading;
export function toast(text) {
  $('toast').textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => { $('toast').textContent = ''; }, 6000);
}

// dialog shows one with a form; done is called with the form where it was
// confirmed and may throw what is then shown.
export function dialog(title, body, confirm, done) {
  const d = $('dialog');
  const wrong = el('p', {role: 'alert'});
  const yes = confirm && el('button', {type: 'submit', class: 'main'}, confirm);
  const no = el('button', {type: 'button', onclick: () => d.close()}, confirm ? 'Cancel' : 'Close');
  const form = el('form', {
    onsubmit: async (ev) => {
      ev.preventDefault();
      wrong.textContent = '';
      yes.disabled = true;
      try {
        await done(form);
        d.close();
      } catch (e) {
        wrong.textContent = e.message;
      }
      yes.disabled = false;
    },
  }, body, wrong, el('div', {class: 'acts'}, yes, no));
  $('dialog-title').textContent = title;
  $('dialog-body').replaceChildren(form);
  d.showModal();
}
