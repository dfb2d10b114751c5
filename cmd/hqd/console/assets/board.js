// The lanes, the exceptions, and the one that is looked at.
import {$, ago, clock, dialog, el, advice, get, may, me, post, say, seconds, setNow, toast} from './api.js';
import {sign} from './keys.js';

const lanes = new Map();
const exceptions = new Map();
let chosen = '';
let looked = null; // what was last shown of the chosen one
let photos = [];

export async function reload() {
  const b = await get('/api/board');
  setNow(b.now);
  lanes.clear();
  exceptions.clear();
  b.lanes.forEach((l) => lanes.set(l.gate, l));
  b.exceptions.forEach((x) => exceptions.set(x.id, x));
  $('listing').hidden = $('detail').hidden = !may('persons');
  draw();
}

export function laneChanged(l) {
  lanes.set(l.gate, l);
  drawLanes();
}

export function exceptionChanged(x) {
  const before = exceptions.get(x.id);
  exceptions.set(x.id, x);
  drawList();
  if (x.id !== chosen || !looked) {
    return;
  }
  looked = {...looked, ...x};
  drawDetail();
  if (x.photo && !before?.photo) {
    showPhotos(x.id);
  }
}

export function gone(id) {
  exceptions.delete(id);
  drawList();
}

function draw() {
  drawLanes();
  drawList();
}

// laneView is how a lane looks: nobody need come, or somebody, or it is shut.
function laneView(l) {
  if (!l.up) {
    return ['fault', 'no connection'];
  }
  if (['ready', 'reading', 'matching', 'confirming', 'deciding', 'granted', 'passing', 'clearing', 'referred'].includes(l.state)) {
    return ['', say(`lane_${l.state}`)];
  }
  return [['closed', 'maintenance', 'self_test'].includes(l.state) ? 'off' : 'fault', say(`lane_${l.state}`)];
}

export function drawLanes() {
  const list = [...lanes.values()].sort((a, b) => (laneView(b)[0] === 'fault') - (laneView(a)[0] === 'fault') || a.gate.localeCompare(b.gate));
  const focus = document.activeElement?.dataset?.key;
  $('lanes').replaceChildren(...list.map((l) => {
    const [kind, text] = laneView(l);
    const waiting = [...exceptions.values()].filter((x) => x.gate === l.gate && !x.answer).length;
    const causes = (l.causes || []).map(say).join(', ');
    return el('li', {class: `lane ${kind}`},
      el('h3', {}, l.gate, l.simulated ? ' (simulated)' : ''),
      el('p', {class: 'state'}, text, l.since ? el('span', {'data-since': l.since}, ` for ${ago(l.since)}`) : ''),
      causes && el('p', {}, `Look at: ${causes}`),
      el('p', {class: 'quiet'}, l.seen ? `heard ${ago(l.seen)} ago` : 'never heard', ` · accounts ${l.cache_age_s < 0 ? 'none' : `${Math.round(l.cache_age_s)} s old`}`,
        l.queue ? ` · ${l.queue} records on their way` : ''),
      may('persons') && waiting > 0 && el('p', {}, el('b', {}, `${waiting} without an answer`)),
      may('mode') && el('div', {class: 'row'},
        el('button', {type: 'button', 'data-key': `close ${l.gate}`, onclick: () => setMode(l.gate, 'closed'), 'aria-label': `Close ${l.gate}`}, 'Close'),
        el('button', {type: 'button', 'data-key': `open ${l.gate}`, onclick: () => setMode(l.gate, 'normal'), 'aria-label': `Reopen ${l.gate}`}, 'Reopen'),
        el('button', {type: 'button', 'data-key': `more ${l.gate}`, onclick: () => laneActs(l.gate), 'aria-label': `More … at ${l.gate}`}, 'More …')),
    );
  }));
  if (focus) {
    $('lanes').querySelector(`[data-key="${CSS.escape(focus)}"]`)?.focus();
  }
}

async function setMode(gate, mode) {
  dialog(mode === 'closed' ? `Close ${gate}?` : `Take the closure of ${gate} back?`,
    el('p', {}, mode === 'closed' ? 'The traveller in the lane is served to the end; nobody else is taken.' : 'What the station itself or the lane has closed stays closed.'),
    mode === 'closed' ? 'Close the lane' : 'Reopen', async () => {
      const r = await post(`/api/lanes/${encodeURIComponent(gate)}/mode`, {mode});
      if (!r.done) {
        throw new Error(`The lane did not follow: ${r.why || 'no reason given'}`);
      }
      toast(`${gate}: done${r.why ? ` (${r.why})` : ''}`);
    });
}

// laneActs are what needs the officer's own signature.
function laneActs(gate) {
  const select = (name, text, list) => [el('label', {for: name}, text),
    el('select', {id: name, name}, list.map(([value, words]) => el('option', {value}, words)))];
  dialog(`${gate}: an act under your signature`, [
    select('act', 'Act', [['mode supervised', 'Supervised: an officer at the lane confirms each'], ['mode biometrics_suspended', 'Faces are not compared, for a time'],
      ['mode maintenance', 'Maintenance, for the technician'], ['mode closed', 'Closed, by order of the station'], ['mode normal', 'Normal: take the station\'s own orders back'],
      ['direction entry', 'Turn the empty lane to entry'], ['direction exit', 'Turn the empty lane to exit'], ['sign_off', 'The emergency is over: the lane is safe']]),
    select('for_s', 'For how long', [['3600', '1 hour'], ['14400', '4 hours'], ['0', 'Until it is taken back (not where faces are not compared)']]),
    select('why', 'Reason', me.orders.map((r) => [r, say(r)])),
  ], 'Sign and send', async (form) => {
    const [kind, what] = form.elements.act.value.split(' ');
    const act = {do: kind};
    if (kind === 'mode') {
      act.mode = what;
    } else if (kind === 'direction') {
      act.direction = what;
    }
    if (what && what !== 'normal') {
      act.reason = form.elements.why.value;
      if (kind === 'mode' && form.elements.for_s.value !== '0') {
        act.for_s = Number(form.elements.for_s.value);
      }
    }
    const signed = await sign(gate, act);
    const r = await post(`/api/lanes/${encodeURIComponent(gate)}/act`, {act: signed});
    if (!r.done) {
      throw new Error(`The lane did not follow: ${r.why || 'no reason given'}`);
    }
    toast(`${gate}: done`);
  });
}

export async function stopAll() {
  dialog('Stop all lanes?', el('p', {}, 'Every lane of this station closes. Travellers in a lane are served to the end. Emergency exits are not touched.'),
    'Stop all lanes', async () => {
      const r = await post('/api/stop', {confirm: true});
      const bad = Object.entries(r).filter(([, x]) => !x.done);
      if (bad.length) {
        throw new Error(`Not stopped: ${bad.map(([g, x]) => `${g} (${x.why})`).join('; ')}. Go to these lanes.`);
      }
      toast('All lanes are closed.');
    });
}

const sorted = () => [...exceptions.values()].sort((a, b) => !!a.answer - !!b.answer || new Date(b.at) - new Date(a.at));
export const late = () => [...exceptions.values()].filter((x) => !x.answer && (x.overdue || seconds(x.at) >= me.late_s));

function drawList() {
  if (!may('persons')) {
    return;
  }
  const list = sorted();
  $('open').textContent = list.filter((x) => !x.answer).length;
  const had = document.activeElement?.closest('#list') && document.activeElement.dataset.id;
  $('list').replaceChildren(...list.map((x) => {
    const slow = !x.answer && (x.overdue || seconds(x.at) >= me.late_s);
    return el('li', {class: x.answer ? 'done' : slow ? 'late' : ''},
      el('button', {type: 'button', 'data-id': x.id, 'aria-pressed': String(x.id === chosen), onclick: () => look(x.id)},
        el('span', {class: 'what'}, headline(x)),
        el('span', {class: 'meta'}, el('span', {}, x.gate), el('span', {}, clock(x.at)),
          el('span', {'data-age': x.at}, `${ago(x.at)} ago`),
          x.answer ? el('span', {}, answerText(x.answer)) : slow && el('span', {class: 'tag'}, 'no answer yet'))));
  }));
  if (!list.length) {
    $('list').append(el('li', {class: 'quiet'}, 'Nobody waits for an officer.'));
  }
  if (had) {
    $('list').querySelector(`[data-id="${CSS.escape(had)}"]`)?.focus();
  }
  drawLanes();
}

const headline = (x) => say(x.reasons.filter((r) => r !== 'officer_decision')[0] ?? x.outcome) + (x.reasons.length > 1 ? ` (+${x.reasons.length - 1})` : '');
const verbs = {admit: 'admitted', refuse: 'refused', refer: 'referred', noted: 'noted'};
const answerText = (a) => a.pending ? `${a.by} is answering` : `${verbs[a.do] ?? a.do} by ${a.by}, ${clock(a.at)}`;

// tick moves the ages on without building anything anew.
export function tick() {
  document.querySelectorAll('[data-since]').forEach((e) => { e.textContent = ` for ${ago(e.dataset.since)}`; });
  document.querySelectorAll('[data-age]').forEach((e) => { e.textContent = `${ago(e.dataset.age)} ago`; });
}

async function look(id) {
  chosen = id;
  looked = null;
  drawList();
  forget();
  $('detail-body').replaceChildren(el('p', {}, 'Loading …'));
  try {
    looked = await get(`/api/exceptions/${encodeURIComponent(id)}`);
  } catch (e) {
    $('detail-body').replaceChildren(el('p', {role: 'alert'}, e.message));
    return;
  }
  if (chosen !== id) {
    return;
  }
  drawDetail();
  $('h-detail').focus();
  showPhotos(id);
}

// forget frees the pictures that were shown.
function forget() {
  photos.forEach((p) => URL.revokeObjectURL(p));
  photos = [];
}

async function showPhotos(id) {
  forget();
  for (const which of ['live', 'enrolled']) {
    const answer = await fetch(`/api/exceptions/${encodeURIComponent(id)}/photo/${which}`);
    const box = document.querySelector(`[data-photo=${which}]`);
    if (chosen !== id || !box) {
      return;
    }
    if (answer.headers.get('Content-Type') !== 'image/jpeg') {
      const why = await answer.json().catch(() => ({}));
      box.replaceChildren(el('p', {class: 'none'}, `No picture: ${why.missing ?? why.error ?? 'headquarters does not answer'}.`));
      continue;
    }
    const url = URL.createObjectURL(await answer.blob());
    photos.push(url);
    box.replaceChildren(el('img', {src: url, alt: which === 'live' ? 'Face at the lane' : 'Photograph of the enrolment'}));
  }
}

function drawDetail() {
  const x = looked;
  const open = !x.answer;
  $('h-detail').textContent = x.alarm ? `Alarm at ${x.gate}` : `Traveller at ${x.gate}, ${clock(x.at)}`;
  const old = document.querySelectorAll('[data-photo]');
  const frames = x.alarm && !x.tx ? null : el('div', {class: 'photos'},
    old.length ? [...old].map((e) => e.parentNode) : [picture('live', 'Now, at the lane'), picture('enrolled', 'At enrolment')]);
  $('detail-body').replaceChildren(...[
    x.answer && el('p', {class: 'notice'}, answerText(x.answer), x.answer.reason ? `: ${codeText(x.answer.reason)}` : ''),
    el('div', {class: 'top'}, frames, el('div', {},
      el('h3', {}, 'Why'),
      el('ul', {class: 'reasons'}, x.reasons.map((r) => el('li', {}, el('b', {}, say(r)), advice(r)))),
      x.detail && el('p', {}, `Detail: ${say(x.detail)}`),
      el('div', {class: 'acts'}, acts(x, open)))),
    el('h3', {}, 'Compared'),
    facts(x),
    history(x),
  ].filter(Boolean));
}

const picture = (which, title) => el('figure', {}, el('figcaption', {}, title), el('div', {'data-photo': which}, el('p', {class: 'none'}, 'Loading …')));
const codeText = (code) => me.reasons.find((c) => c.code === code)?.text ?? code;

function acts(x, open) {
  if (!open) {
    return [];
  }
  if (x.alarm && !x.tx) {
    return [may('refer') && el('button', {type: 'button', class: 'main', onclick: () => answer(x, 'noted', 'Alarm noted', 'Note')}, 'Note the alarm')];
  }
  return [
    may('admit') && el('button', {type: 'button', class: 'main', onclick: () => admit(x)}, 'Admit …'),
    may('refer') && el('button', {type: 'button', onclick: () => answer(x, 'refer', 'Refer the traveller', 'Refer')}, 'Refer …'),
    may('answer') && el('button', {type: 'button', onclick: () => answer(x, 'refuse', 'Refuse the crossing', 'Refuse')}, 'Refuse …'),
    may('answer') && x.known && x.pass && el('button', {type: 'button', onclick: () => stamp(x)}, 'Stamp …'),
  ];
}

function facts(x) {
  const rows = [
    ['Face score', x.threshold ? `${x.score.toFixed(3)} (needed ${x.threshold.toFixed(3)}), ${x.frames} frames` : 'not compared'],
    ['Compared with', x.reference && {cache: 'the enrolled template', pass: 'the template on the pass'}[x.reference]],
    ['Live face', x.liveness && `${say(x.liveness)}${x.liveness_enforced === false ? ' (not enforced)' : ''}`],
    ['Direction', x.direction],
    ['Pass', x.known ? `${x.pass || 'none'}${x.pass_type ? ` (${say(x.pass_type)})` : ''}` : 'none was read'],
    ['Account', x.account],
    ['Organisation', x.organisation],
    ['Outcome', say(x.outcome)],
    ['Model', x.model],
    ['Transaction', x.tx],
  ];
  return el('dl', {}, rows.filter(([, v]) => v).flatMap(([k, v]) => [el('dt', {}, k), el('dd', {}, v)]));
}

function history(x) {
  const list = x.history || [];
  return el('div', {}, el('h3', {}, 'Today'),
    x.incomplete && el('p', {class: 'notice'}, x.incomplete),
    list.length === 0 ? el('p', {class: 'quiet'}, x.known ? 'No other crossing today.' : 'No pass was read, so there is no history to look up.')
      : el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Crossings today'}, el('table', {}, el('thead', {}, el('tr', {}, ['Time', 'Lane', 'Direction', 'Outcome', 'Reasons'].map((h) => el('th', {scope: 'col'}, h)))),
        el('tbody', {}, list.map((c) => el('tr', {}, el('td', {}, clock(c.at)), el('td', {}, c.gate), el('td', {}, c.direction || ''),
          el('td', {}, say(c.outcome || 'under way')), el('td', {}, (c.reasons || []).map(say).join('; '))))))));
}

function reasonFields(kind) {
  return [
    el('label', {for: 'reason'}, 'Reason'),
    el('select', {id: 'reason', name: 'reason', required: true}, el('option', {value: ''}, 'Choose …'),
      me.reasons.filter((c) => c.for.includes(kind)).map((c) => el('option', {value: c.code}, c.text))),
    el('label', {for: 'note'}, kind === 'admit' ? 'Note, without names (may stay empty)' : 'Note, without names (needed with “Other”)'),
    el('input', {id: 'note', name: 'note', maxlength: '300', autocomplete: 'off'}),
  ];
}

const given = (form) => ({reason: form.elements.reason.value, note: form.elements.note.value.trim()});

function answer(x, kind, title, verb) {
  dialog(title, [el('p', {}, 'Recorded with your name. Tell the traveller yourself, and neutrally.'), reasonFields(kind)], verb, async (form) => {
    await post(`/api/exceptions/${encodeURIComponent(x.id)}/answer`, {do: kind, ...given(form)});
    toast('Recorded.');
  });
}

function admit(x) {
  dialog('Admit this traveller', [
    el('p', {}, `${me.person}, you decide under your own signature that ${x.gate} opens once for the traveller who stands there.`),
    el('p', {class: 'quiet'}, x.reasons.map(say).join('; ')), reasonFields('admit')], 'Sign and admit', async (form) => {
    const why = given(form);
    const signed = await sign(x.gate, {do: 'override', tx: x.tx, reason: why.reason});
    const r = await post(`/api/exceptions/${encodeURIComponent(x.id)}/admit`, {...why, act: signed});
    if (!r.done) {
      throw new Error(`The lane did not open: ${r.why || 'no reason given'}`);
    }
    toast('The lane opens for one person.');
  });
}

function stamp(x) {
  dialog('Stamp', el('p', {}, 'Only when the pass before you has been stamped: it restarts the ten days.'), 'Stamped', async () => {
    await post(`/api/exceptions/${encodeURIComponent(x.id)}/stamp`, {});
    toast('The stamp is recorded.');
  });
}
