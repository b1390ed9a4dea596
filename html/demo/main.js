// SPDX-License-Identifier: MIT
// The demo: two agents in one page, and a race between priorities.
import {brokerUrl} from '../js/broker.js';
import {Chart} from '../js/charts.js';
import {connect, describe, isRefusal, obstacle} from '../js/client.js';
import {$, element, setText} from '../js/dom.js';
import {duration, figure, plural, size} from '../js/format.js';
import {PRIORITIES, titled} from '../js/priorities.js';
import * as session from '../js/session.js';
import {Pane} from './pane.js';
import {Course, overtakings, progress} from './race.js';

const course = new Course();
const panes = {left: new Pane('left'), right: new Pane('right', course)};
let ends; // both connections while they are there

const ORDER = ['First', 'Second', 'Third', 'Fourth', 'Last'];
const series = Object.keys(PRIORITIES).reverse().map((name) => ({key: name, label: titled(name), color: `--p-${name}`}));
const picture = (key, title, note, equal) => new Chart({key, title, note, format: (v) => `${Math.round(v)} %`,
  xFormat: (ms) => (ms === 0 ? '0' : duration(ms / 1000)), top: 100, plain: true,
  series: series.map((s, i) => (equal ? {...s, label: ORDER[i]} : s))});
const pictures = {
  priority: picture('race-priority', 'By priority', 'How much of each stream has arrived; the figures: when it was complete', false),
  equal: picture('race-equal', 'All equal', 'The same streams in the same order, all at normal', true),
};

function status(words, state) {
  setText($('status'), words);
  $('status').dataset.state = state;
}

function complain(sentence) {
  $('connect-error').hidden = !sentence;
  setText($('connect-error'), sentence ?? '');
}

function ready(connections) {
  ends = connections;
  panes.left.use(ends?.left, ends?.right.id);
  panes.right.use(ends?.right, ends?.left.id);
  $('race').querySelector('button').disabled = !ends;
  $('connect-card').hidden = Boolean(ends);
}

/** Both sides; when one cannot be had the other is closed. */
async function connectBoth(token) {
  const url = await brokerUrl();
  if (!url) throw new Error('this broker has no place for WebTransport in its configuration');
  const made = {};
  try {
    for (const side of ['left', 'right']) {
      made[side] = await connect(url, {id: session.freshId(`demo-${side}`), token, ...panes[side].handlers});
    }
  } catch (error) {
    made.left?.close();
    throw error;
  }
  return made;
}

let starting = false;
async function start(token) {
  if (starting || ends) return; // the form was quicker than what begins by itself
  starting = true;
  status('connecting', 'wait');
  complain();
  try {
    const made = await connectBoth(token);
    session.remember(token);
    ready(made);
    starting = false;
    status('both connected', 'good');
    const why = await Promise.race([made.left.over, made.right.over]);
    for (const end of [made.left, made.right]) end.close();
    ready(undefined);
    status('not connected', 'bad');
    complain(`The connection ended: ${why.replace(/\.$/, '')}. Connect again when the broker is there.`);
  } catch (error) {
    if (isRefusal(error)) session.forget();
    status('not connected', 'bad');
    complain(`Not connected: ${describe(error)}.`);
  }
  starting = false;
}

function showRuns(runs, bytes) {
  const until = Math.max(...Object.values(runs).flat().map((lane) => lane.doneAt));
  for (const [kind, chart] of Object.entries(pictures)) {
    if (!chart.card.isConnected) $('race-pictures').append(chart.card);
    chart.draw(progress(runs[kind], bytes, until), 0, until, runs[kind].map((lane) => duration(lane.doneAt / 1000)));
  }
  const at = (lane) => `${duration(lane.doneAt / 1000)}`;
  const cell = (label, content, className = 'number') => element('td', {className, textContent: content, data: {label}});
  $('race-table').hidden = false;
  $('race-table').tBodies[0].replaceChildren(...runs.priority.map((lane, i) => element('tr', {}, cell('Stream', titled(lane.name), ''),
    cell('Opened', ORDER[i].toLowerCase()), cell('By priority', at(lane)), cell('All equal', at(runs.equal[i])))).reverse());
  showVerdict(runs);
}

function showVerdict(runs) {
  const share = (lanes) => (100 * lanes.at(-1).doneAt) / Math.max(...lanes.map((l) => l.doneAt));
  const pairs = {priority: overtakings(runs.priority), equal: overtakings(runs.equal)};
  $('race-verdict').hidden = false;
  $('race-verdict').dataset.priority = pairs.priority;
  $('race-verdict').dataset.equal = pairs.equal;
  $('race-verdict').dataset.share = share(runs.priority).toFixed(1);
  $('race-verdict').dataset.equalShare = share(runs.equal).toFixed(1);
  setText($('race-verdict'), `By priority the critical stream, opened last, was complete after ${figure(share(runs.priority))}\u00a0% of the run; `
    + `later streams overtook earlier ones ${plural(pairs.priority, 'time')} of 10. With equal priorities: after ${figure(share(runs.equal))}\u00a0%, `
    + `and ${plural(pairs.equal, 'time')} of 10.`);
}

async function race() {
  const bytes = Number($('race-size').value);
  const button = $('race').querySelector('button');
  button.disabled = true;
  try {
    const runs = {};
    for (const kind of ['priority', 'equal']) {
      setText($('race-note'), `${kind === 'equal' ? 'All equal' : 'By priority'}: 5 streams of ${size(bytes)} are on their way …`);
      runs[kind] = await course.run(ends.left, `agent:${ends.right.id}`, bytes, kind === 'equal');
    }
    showRuns(runs, bytes);
    setText($('race-note'), '');
  } catch (error) {
    setText($('race-note'), `The race broke off: ${describe(error)}.`);
  }
  button.disabled = !ends;
}

$('panes').append(panes.left.node, panes.right.node);
$('connect').addEventListener('submit', (event) => {
  event.preventDefault();
  start($('token').value);
});
$('race').addEventListener('submit', (event) => {
  event.preventDefault();
  race();
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => Object.values(pictures).forEach((p) => p.redraw()));
const why = await obstacle();
if (why) {
  $('connect').hidden = true;
  complain(`The demo needs two agents. ${why}`);
} else if (session.wasConnected()) {
  start(session.token());
}
