// The page: who sits here, what comes from headquarters, and the views.
import {$, ago, dialog, el, get, load, may, me, over, post, say, seconds, setNow, clock} from './api.js';
import * as board from './board.js';
import * as figures from './figures.js';
import {card, held, make} from './keys.js';

let heard = Date.now();
let view = 'board';

async function start() {
  await load();
  setNow(me.now);
  document.title = `${me.station || 'Station'}: officer's console`;
  $('station').textContent = `${me.station || 'Station'}: officer's console`;
  $('who').textContent = `${me.person}, ${me.role}`;
  $('simulated').hidden = !me.simulated;
  $('stop').hidden = !may('stop');
  $('key').hidden = !may('admit');
  document.querySelector('[data-view=log]').hidden = !may('log');
  await board.reload();
  listen();
  second();
  setInterval(second, 1000);
}

function listen() {
  const news = new EventSource('/api/events');
  const on = (kind, f) => news.addEventListener(kind, (ev) => { alive(); f(JSON.parse(ev.data)); });
  news.onopen = alive;
  news.onerror = async () => {
    lost();
    // A session that is over looks like a lost connection: ask which it is.
    try {
      if ((await fetch('/api/me')).status === 401) {
        over();
      } else if (news.readyState === EventSource.CLOSED) {
        setTimeout(listen, 2000);
      }
    } catch {
      if (news.readyState === EventSource.CLOSED) {
        setTimeout(listen, 2000);
      }
    }
  };
  on('lane', board.laneChanged);
  on('exception', board.exceptionChanged);
  on('gone', (x) => board.gone(x.id));
  on('resync', () => board.reload().catch(lost));
  on('over', over);
}

function alive() {
  heard = Date.now();
  $('lost').hidden = true;
  $('link').textContent = 'Connected';
}

function lost() {
  $('lost').hidden = false;
  $('link').textContent = `Not connected since ${clock(heard)}`;
}

// sound is two short tones when one more exception is late, and again each half
// minute while one is. A browser allows it once somebody has touched the page.
let audio = null;
let sounded = {n: 0, at: 0};
function sound(n) {
  const again = n > 0 && Date.now() - sounded.at > 30000;
  if (audio && (n > sounded.n || again)) {
    sounded.at = Date.now();
    for (const [wait, tone] of [[0, 660], [0.25, 520]]) {
      const o = audio.createOscillator();
      const g = audio.createGain();
      g.gain.value = 0.08;
      o.frequency.value = tone;
      o.connect(g).connect(audio.destination);
      o.start(audio.currentTime + wait);
      o.stop(audio.currentTime + wait + 0.18);
    }
  }
  sounded.n = n;
}

// second moves what follows from the time alone.
function second() {
  board.tick();
  const late = board.late();
  sound(late.length);
  $('late').hidden = late.length === 0;
  $('late').textContent = late.length === 0 ? '' : `${late.length} ${late.length === 1 ? 'exception waits' : 'exceptions wait'} for an answer, the longest ${ago(late.map((x) => x.at).sort()[0])}.`;
  document.title = `${late.length ? `(${late.length}) ` : ''}${me.station || 'Station'}: officer's console`;
  const watched = seconds(me.watch);
  $('rotate').hidden = watched < me.watch_s || !may('persons');
  $('rotate').querySelector('span').textContent = `You have been watching for ${Math.round(watched / 60)} minutes. Hand the watch over, or take a break.`;
}

// A user who moves keeps his session; a page that is only open does not.
let told = 0;
for (const kind of ['pointerdown', 'keydown']) {
  addEventListener(kind, () => {
    audio ??= new AudioContext();
    if (me && Date.now() - told > 60000) {
      told = Date.now();
      post('/api/alive').catch(() => {});
    }
  }, {passive: true});
}

document.querySelectorAll('[data-view]').forEach((b) => b.addEventListener('click', () => {
  view = b.dataset.view;
  document.querySelectorAll('[data-view]').forEach((o) => o.toggleAttribute('aria-current', false));
  b.setAttribute('aria-current', 'page');
  for (const v of ['board', 'figures', 'log']) {
    $(v).hidden = v !== view;
  }
  if (view === 'figures') {
    figures.show().catch((e) => $('figures-body').replaceChildren(el('p', {role: 'alert'}, e.message)));
  }
  if (view === 'log') {
    showLog().catch((e) => $('log-body').replaceChildren(el('p', {role: 'alert'}, e.message)));
  }
}));

// on shortens a transaction to what tells it from the others of a day.
const on = (id) => String(id ?? '').replace(/([0-9a-f]{8})[0-9a-f]{24}$/, '$1…');

async function showLog() {
  const list = await get('/api/log');
  $('log-body').replaceChildren(el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Log'}, el('table', {},
    el('thead', {}, el('tr', {}, ['No.', 'Time', 'Who', 'Role', 'Did', 'On', 'What', 'Reason', 'Note', 'Outcome'].map((h) => el('th', {scope: 'col'}, h)))),
    el('tbody', {}, list.map((e) => el('tr', {}, [e.seq, new Date(e.at).toLocaleString('en-GB'), e.who, e.role, say(e.do), on(e.on), e.what, say(e.reason ?? ''), e.note, e.outcome]
      .map((v) => el('td', {}, String(v ?? '')))))))));
}

$('logout').addEventListener('click', async () => {
  await post('/api/logout').catch(() => {});
  location.replace('/login');
});
$('stop').addEventListener('click', board.stopAll);
$('rotated').addEventListener('click', async () => {
  await post('/api/watch');
  await load();
  second();
});

$('key').addEventListener('click', async () => {
  const pair = await held();
  const body = el('div', {});
  const show = async (p) => {
    const c = await card(p);
    body.replaceChildren(
      el('p', {}, 'This browser holds a key of yours; it cannot be taken out of it. Gates believe it once headquarters has certified it:'),
      el('p', {}, el('code', {}, `hqd officer add --id ${me.officer || 'ID'} --key FILE --act override --act mode --crossing CODE --by NAME`)),
      el('label', {for: 'pem'}, 'Public key, to be saved as FILE'), el('textarea', {id: 'pem', rows: '4', readonly: true}, c.pem),
      el('p', {}, 'Fingerprint, to be compared by eye: ', el('code', {}, c.print)),
      el('p', {class: 'quiet'}, `Key ${c.kid}; account ${me.officer ? `of officer ${me.officer}` : 'of no officer yet: hqd console user set --officer ID'}`));
  };
  if (pair) {
    await show(pair);
  } else {
    body.append(el('p', {}, 'This browser holds no key of yours yet. One is made here, once for each officer and machine.'),
      el('button', {type: 'button', class: 'main', onclick: async () => show(await make())}, 'Make my key'));
  }
  dialog('My key', body);
});

start().catch((e) => {
  $('link').textContent = e.message;
  setTimeout(() => location.reload(), 5000);
});
