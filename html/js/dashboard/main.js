// SPDX-License-Identifier: MIT
// The dashboard: a snapshot a second goes into the history, and from there into tiles, graphs and
// tables.
import {$, setText} from '../dom.js';
import {byteRate, count, duration, rate, size} from '../format.js';
import {haveGraphs} from '../charts.js';
import {Graphs} from './graphs.js';
import {History, REFUSALS} from './history.js';
import * as lists from './lists.js';
import {Own} from './own.js';
import {showRefusals} from './refusals.js';
import {quantile} from './snapshot.js';
import {Source} from './source.js';
import {showWorkers} from './workers.js';

const TILE_SECONDS = 60; // what tiles call recent

const history = new History();
const graphs = new Graphs();
const view = {seconds: 300, name: '5 min', paused: false};

const orDash = (value, format) => (value === null || value === undefined ? '–' : format(value));

function tile(name, value, detail) {
  setText($(`tile-${name}`), value);
  setText($(`tile-${name}-detail`), detail);
}

function showTiles(snapshot) {
  tile('agents', count(history.newest('agents')), `${count(history.newest('quic'))} QUIC, ${count(history.newest('webtransport'))} WebTransport`);
  tile('streams', count(history.newest('streams')), `${orDash(history.recent('opened'), rate)} opened, ${size(history.newest('buffered'))} held`);
  tile('throughput', orDash(history.recent('out'), byteRate), `to agents; ${orDash(history.recent('in'), byteRate)} from them`);
  tile('datagrams', orDash(history.recent('datagramsOut'), rate), `to agents; ${orDash(history.recent('datagramsDropped'), rate)} dropped`);
  const {bounds, counts} = history.distribution('quicms_rtt_seconds', TILE_SECONDS);
  const all = counts.length > 0 && counts.some((n) => n > 0) ? counts : undefined;
  tile('rtt', all ? duration(quantile(bounds, all, 0.5)) : '–',
    all ? `95 % below ${duration(quantile(bounds, all, 0.95))}` : 'no sample in the last minute');
  const names = Object.values(REFUSALS);
  const recent = names.reduce((sum, name) => sum + [...history.grown(name, TILE_SECONDS).values()].reduce((a, b) => a + b, 0), 0);
  tile('refusals', count(recent), `in the last minute; ${count(names.reduce((sum, name) => sum + snapshot.value(name), 0))} since start`);
}

function draw() {
  graphs.draw(history, view.seconds);
  own.draw(view.seconds);
}

function showAll(snapshot, before) {
  showTiles(snapshot);
  draw();
  showWorkers(snapshot, before);
  showRefusals(history, view.seconds, view.name);
}

function status(text, state) {
  setText($('status'), text);
  $('status').dataset.state = state;
}

function onSnapshot(snapshot, how) {
  const before = history.last;
  history.add(snapshot, Date.now() / 1000);
  $('alert').hidden = true;
  document.body.classList.remove('stale');
  if (view.paused) status('paused', 'wait');
  else status(how === 'webtransport' ? 'live over WebTransport' : 'live by polling', 'good');
  setText($('version'), `quicms ${snapshot.version}, up for ${duration(snapshot.uptime)}`);
  if (!view.paused && !document.hidden) showAll(snapshot, before);
}

function onDown(sentence, since) {
  history.addGap(Date.now() / 1000);
  status('broker unreachable', 'bad');
  $('alert').hidden = false;
  setText($('alert'), `The broker cannot be reached since ${new Date(since).toTimeString().slice(0, 8)}: ${sentence}. `
    + 'This page keeps trying; what it shows is from before.');
  document.body.classList.add('stale');
  if (!view.paused && !document.hidden) draw();
}

const source = new Source(onSnapshot, onDown);
const own = new Own((connection) => source.use(connection));

for (const input of document.querySelectorAll('input[name=window]')) {
  input.addEventListener('change', () => {
    view.seconds = Number(input.value);
    view.name = input.nextElementSibling.textContent;
    if (history.last) showRefusals(history, view.seconds, view.name);
    draw();
  });
}
$('pause').addEventListener('click', () => {
  view.paused = !view.paused;
  $('pause').setAttribute('aria-pressed', String(view.paused));
  setText($('pause'), view.paused ? 'Go on' : 'Pause');
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => own.redraw());
setText($('graphs-note'), haveGraphs() ? '' : 'No graphs: this build of the pages was made without npm, and lacks uPlot (remedy: scripts/install-deps pages, then make pages).');
for (const list of [lists.streams(), lists.agents()]) {
  $('lists').append(list.node);
  list.run(() => view.paused);
}
source.run();
