// The last day in figures, drawn as SVG. Each plot has its numbers as a table.
import {$, el, get, say, svg} from './api.js';

const colours = {admitted: '#12633a', overridden: '#0b5aa2', referred: '#b07a00', refused: '#a61b1b', failed: '#5b3a86', abandoned: '#6b7a88', interrupted: '#2b2b2b'};
const marks = Object.keys(colours);

export async function show() {
  const f = await get('/api/figures');
  const share = f.through ? `${(100 * f.false_rejects).toFixed(1)} %` : '–';
  $('figures-body').replaceChildren(
    el('div', {class: 'cards'},
      card(f.outcomes.admitted || 0, 'admitted by the lanes'), card(f.overridden, 'overrides by officers'),
      card(f.outcomes.referred || 0, 'to an officer'), card(f.outcomes.refused || 0, 'not opened'),
      card(ms(f.machine_ms.p50), `machine, median (95 %: ${ms(f.machine_ms.p95)})`),
      card(ms(f.total_ms.p50), `whole way, median (95 %: ${ms(f.total_ms.p95)})`),
      card(share, `face doubted by a lane and not by an officer: ${f.doubted} of ${f.through}`)),
    el('div', {class: 'plots'}, travellers(f.hours), times(f.hours), reasons(f.reasons)));
}

const card = (value, text) => el('div', {class: 'card'}, el('b', {}, String(value)), text);
const ms = (v) => v ? (v >= 1000 ? `${(v / 1000).toFixed(1)} s` : `${Math.round(v)} ms`) : '–';
const hour = (t) => `${String(new Date(t).getHours()).padStart(2, '0')}`;

const W = 520, H = 200, L = 40, B = 22;

// frame is a plot's axes with up to four steps of a round size.
function frame(title, most, unit, hours) {
  const top = round(most);
  const y = (v) => H - B - (v / top) * (H - B - 10);
  const step = (W - L) / hours.length;
  const g = svg('svg', {viewBox: `0 0 ${W} ${H}`, role: 'img', 'aria-label': title});
  for (let i = 0; i <= 4; i++) {
    const v = (top * i) / 4;
    g.append(svg('line', {x1: L, x2: W, y1: y(v), y2: y(v), stroke: '#dbe3ea'}),
      svg('text', {x: L - 4, y: y(v) + 4, 'text-anchor': 'end'}, v ? unit(v) : '0'));
  }
  hours.forEach((h, i) => {
    if (i % 3 === 0) {
      g.append(svg('text', {x: L + i * step + step / 2, y: H - 6, 'text-anchor': 'middle'}, hour(h.at)));
    }
  });
  return {g, y, step};
}

function round(v) {
  const p = 10 ** Math.floor(Math.log10(Math.max(v, 4)));
  return [1, 2, 4, 5, 8, 10].map((n) => n * p).find((n) => n >= v);
}

const sum = (o) => Object.values(o).reduce((a, b) => a + b, 0);
const legend = (list) => el('ul', {class: 'legend'}, list.map(([text, colour]) => el('li', {},
  svg('svg', {viewBox: '0 0 10 10', 'aria-hidden': 'true'}, svg('rect', {width: 10, height: 10, fill: colour})), text)));

function plot(title, ...parts) {
  return el('section', {class: 'plot'}, el('h3', {}, title), parts);
}

function table(head, rows) {
  return el('details', {}, el('summary', {}, 'Numbers'), el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Numbers'}, el('table', {},
    el('thead', {}, el('tr', {}, head.map((h) => el('th', {scope: 'col', class: 'n'}, h)))),
    el('tbody', {}, rows.map((r) => el('tr', {}, r.map((c) => el('td', {class: 'n'}, String(c)))))))));
}

function travellers(hours) {
  const seen = marks.filter((m) => hours.some((h) => h.outcomes[m]));
  const {g, y, step} = frame('Travellers by hour and outcome', Math.max(...hours.map((h) => sum(h.outcomes)), 4), (v) => v, hours);
  hours.forEach((h, i) => {
    let below = 0;
    for (const m of seen) {
      const n = h.outcomes[m] || 0;
      g.append(svg('rect', {x: L + i * step + 2, width: Math.max(step - 4, 1), y: y(below + n), height: y(below) - y(below + n), fill: colours[m]}));
      below += n;
    }
  });
  return plot('Travellers by hour', g, legend(seen.map((m) => [say(m), colours[m]])),
    table(['Hour', ...seen.map(say)], hours.filter((h) => sum(h.outcomes)).map((h) => [hour(h.at), ...seen.map((m) => h.outcomes[m] || 0)])));
}

function times(hours) {
  const lines = [['whole way, median', 'total_ms', 'p50', '#0b5aa2', ''], ['whole way, 95 %', 'total_ms', 'p95', '#0b5aa2', '4 3'],
    ['machine, median', 'machine_ms', 'p50', '#12633a', ''], ['machine, 95 %', 'machine_ms', 'p95', '#12633a', '4 3']];
  const {g, y, step} = frame('Times of admitted travellers', Math.max(...hours.flatMap((h) => [h.total_ms.p95, h.machine_ms.p95]), 1000), ms, hours);
  for (const [, part, q, colour, dash] of lines) {
    let path = '', pen = false;
    hours.forEach((h, i) => {
      const x = L + i * step + step / 2;
      if (!h[part].n) {
        pen = false;
        return;
      }
      path += `${pen ? 'L' : 'M'}${x} ${y(h[part][q])}`;
      pen = true;
      g.append(svg('circle', {cx: x, cy: y(h[part][q]), r: 3, fill: colour}));
    });
    g.append(svg('path', {d: path || 'M0 0', fill: 'none', stroke: colour, 'stroke-width': 2, 'stroke-dasharray': dash}));
  }
  return plot('How long it took', g, legend([['whole way (dots joined; 95 % dashed)', '#0b5aa2'], ['machine', '#12633a']]),
    table(['Hour', 'n', ...lines.map((l) => l[0])], hours.filter((h) => h.total_ms.n).map((h) => [hour(h.at), h.total_ms.n, ...lines.map((l) => ms(h[l[1]][l[2]]))])));
}

function reasons(counts) {
  const list = Object.entries(counts).sort((a, b) => b[1] - a[1]).slice(0, 12);
  const most = Math.max(...list.map((r) => r[1]), 1);
  const h = 34 * Math.max(list.length, 1);
  const g = svg('svg', {viewBox: `0 0 ${W} ${h}`, role: 'img', 'aria-label': 'Why the lanes did not open'});
  list.forEach(([r, n], i) => {
    const width = Math.max(2, (n / most) * (W - 40));
    g.append(svg('text', {x: 0, y: 34 * i + 12}, say(r)),
      svg('rect', {x: 0, y: 34 * i + 16, height: 12, width, fill: '#b07a00'}),
      svg('text', {x: width + 6, y: 34 * i + 26}, n));
  });
  return plot('Why the lanes did not open', list.length ? g : el('p', {class: 'quiet'}, 'Nobody was referred.'),
    table(['Reason', 'Travellers'], list.map(([r, n]) => [say(r), n])));
}
