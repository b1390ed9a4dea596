// SPDX-License-Identifier: MIT
// The table of workers: one row a slot.
import {$, element, setText} from '../dom.js';
import {byteRate, count, duration, plural} from '../format.js';
import {getJson} from './source.js';

const ASK_EVERY = 5000;
const pids = new Map(); // by slot and start: agents are not told of processes, so the figures may lack them
let askedAt = -Infinity;
const key = (worker) => `${worker.slot}/${worker.starts}`;

async function askForProcesses() {
  if (performance.now() < askedAt + ASK_EVERY) return;
  askedAt = performance.now();
  const {workers} = await getJson('/api/v1/workers').catch(() => ({workers: []}));
  pids.clear();
  for (const worker of workers) pids.set(key(worker), worker.pid);
}

/** Bytes a second of one worker between two snapshots, both directions; undefined at its start. */
function throughput(worker, before, seconds) {
  const old = before?.workers.find((w) => w.slot === worker.slot && w.starts === worker.starts);
  if (!old || seconds <= 0) return undefined;
  return (worker.stream_bytes_in + worker.stream_bytes_out - old.stream_bytes_in - old.stream_bytes_out) / seconds;
}

function cells(worker, before, snapshot) {
  const rate = throughput(worker, before, snapshot.time - (before?.time ?? 0));
  return [
    ['Worker', `slot ${worker.slot}`],
    ['Generation', worker.generation === undefined ? '–' : String(worker.generation)],
    ['Process', String(worker.pid ?? pids.get(key(worker)) ?? '–')],
    ['Up for', worker.started_at > 0 ? duration(Math.max(0, snapshot.time - worker.started_at)) : '–'],
    ['Restarts', count(Math.max(0, worker.starts - 1))],
    ['Connections', count(worker.connections)],
    ['Agents', count(worker.agents)],
    ['Streams', count(worker.streams)],
    ['Throughput', rate === undefined ? '–' : byteRate(rate)],
    ['Passed on', count(worker.packets_forwarded)],
  ];
}

export function showWorkers(snapshot, before) {
  if (snapshot.workers.some((w) => w.pid === undefined && !pids.has(key(w)))) askForProcesses();
  const rows = snapshot.workers.map((w) => cells(w, before, snapshot));
  if (rows.length === 0) return;
  const known = rows.some((row) => row[1][1] !== '–');
  const shown = known ? rows : rows.map((row) => row.filter(([label]) => label !== 'Generation'));
  const cell = ([label, text], i) => element('td', {className: i > 0 ? 'number' : '', textContent: text, data: {label}});
  $('workers').tHead.replaceChildren(element('tr', {}, ...shown[0].map(([label], i) => element('th',
    {className: i > 0 ? 'number' : '', textContent: label, attributes: {scope: 'col'}}))));
  $('workers').tBodies[0].replaceChildren(...shown.map((row) => element('tr', {}, ...row.map(cell))));
  setText($('workers-note'), `${plural(rows.length, 'worker')}; a restart ends the connections of that one only. Passed on: packets that reached another worker than their own.`);
}
