// SPDX-License-Identifier: MIT
// The table of agents: searched, sorted and paged in the page, since the broker tells all of them.
import {$, element, setText, sleep} from '../dom.js';
import {count, duration, plural, size} from '../format.js';
import {getJson} from './source.js';

const PAGE = 25;
const EVERY = 2000;
const MANY = 1000; // from here on the list is asked for less often

const COLUMNS = [
  {key: 'id', label: 'Agent', show: (a) => a.id},
  {key: 'carrier', label: 'Carrier', show: (a) => CARRIERS[a.carrier] ?? a.carrier},
  {key: 'address', label: 'Address', show: (a) => a.address},
  {key: 'connected_for', label: 'Connected', number: true, show: (a) => duration(a.connected_for)},
  {key: 'streams', label: 'Streams', number: true, show: (a) => count(a.streams)},
  {key: 'bytes_in', label: 'Sent', number: true, show: (a) => size(a.bytes_in)},
  {key: 'bytes_out', label: 'Received', number: true, show: (a) => size(a.bytes_out)},
  {key: 'rtt', label: 'RTT', number: true, show: (a) => (a.rtt > 0 ? duration(a.rtt) : '–')},
];
const CARRIERS = {quic: 'QUIC', webtransport: 'WebTransport'};

const state = {agents: [], sort: 'id', down: false, page: 0};

function matching() {
  const words = $('agent-search').value.trim().toLowerCase().split(/\s+/);
  return state.agents.filter((a) => words.every((w) => `${a.id} ${a.carrier} ${a.address}`.toLowerCase().includes(w)));
}

function compare(a, b) {
  const [x, y] = [a[state.sort], b[state.sort]];
  const order = typeof x === 'number' ? x - y : x.localeCompare(y, 'en', {numeric: true});
  return (state.down ? -order : order) || a.id.localeCompare(b.id, 'en', {numeric: true});
}

const row = (agent) => element('tr', {}, ...COLUMNS.map(({key, label, number, show}) => element('td',
  {className: [number ? 'number' : '', key].join(' ').trim(), textContent: show(agent), data: {label}})));

function summary(shown, from, all) {
  if (state.agents.length === 0) return 'No agent is connected.';
  if (all === 0) return `None of ${plural(state.agents.length, 'agent')} matches the search.`;
  const found = all === state.agents.length ? plural(all, 'agent') : `${count(all)} of ${plural(state.agents.length, 'agent')}`;
  return all > PAGE ? `${count(from + 1)}–${count(from + shown)} of ${found}` : found;
}

export function showAgents() {
  const found = matching().sort(compare);
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const from = state.page * PAGE;
  const shown = found.slice(from, from + PAGE);
  $('agents').tBodies[0].replaceChildren(...shown.map(row));
  $('agents').hidden = shown.length === 0;
  $('agents-empty').hidden = state.agents.length > 0;
  setText($('agents-note'), summary(shown.length, from, found.length));
  $('agents-pages').hidden = pages === 1;
  setText($('agents-page'), `page ${state.page + 1} of ${pages}`);
  $('agents-previous').disabled = state.page === 0;
  $('agents-next').disabled = state.page === pages - 1;
  for (const th of $('agents').tHead.rows[0].cells) {
    const sorted = th.dataset.key === state.sort;
    if (sorted) th.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
    else th.removeAttribute('aria-sort');
  }
}

function sortBy(key, number) {
  state.down = state.sort === key ? !state.down : Boolean(number); // of figures the largest first
  state.sort = key;
  state.page = 0;
  showAgents();
}

function makeHead() {
  const cells = COLUMNS.map(({key, label, number}) => {
    const button = element('button', {type: 'button', className: 'sort', textContent: label});
    button.addEventListener('click', () => sortBy(key, number));
    return element('th', {className: number ? 'number' : '', data: {key}, attributes: {scope: 'col'}}, button);
  });
  $('agents').tHead.replaceChildren(element('tr', {}, ...cells));
}

function turn(by) {
  state.page += by;
  showAgents();
}

/** Keeps the table current for ever; `paused()` says when not to. */
export async function runAgents(paused) {
  makeHead();
  $('agent-search').addEventListener('input', () => { state.page = 0; showAgents(); });
  $('agents-previous').addEventListener('click', () => turn(-1));
  $('agents-next').addEventListener('click', () => turn(1));
  for (;;) {
    if (!document.hidden && !paused()) {
      try {
        state.agents = (await getJson('/api/v1/agents')).agents;
        showAgents();
      } catch (error) {
        setText($('agents-note'), `The list is not current: ${error.message}.`);
      }
    }
    await sleep(state.agents.length > MANY ? 5 * EVERY : EVERY);
  }
}
