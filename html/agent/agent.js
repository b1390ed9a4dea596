// SPDX-License-Identifier: MIT
// The page around the client: forms, the list of agents, a log of what arrived.
import {brokerUrl} from '../js/broker.js';
import {readBlob, writeBlob} from '../js/bytes.js';
import {connect, describe, obstacle} from '../js/client.js';
import {$, element} from '../js/dom.js';
import {duration, figure, size} from '../js/format.js';

const LOG_LINES = 200;
const PREVIEW_BYTES = 200;
const TAKE_AT_MOST = 256 << 20; // a page keeps what arrives in memory
const LIST_EVERY = 2000;
const CARRIERS = {quic: 'QUIC', webtransport: 'WebTransport'};
let agent; // while it is connected

/** Adds a line; `parts` are texts and elements. */
function log(parts, bad = false) {
  const time = element('time', {textContent: new Date().toTimeString().slice(0, 8)});
  $('log').prepend(element('li', {}, time, element('span', {className: bad ? 'bad' : ''}, ...[parts].flat())));
  $('log-note').textContent = '';
  while ($('log').children.length > LOG_LINES) {
    const oldest = $('log').lastChild;
    for (const link of oldest.querySelectorAll('a')) URL.revokeObjectURL(link.href);
    oldest.remove();
  }
}

function status(line, state) {
  $('status').textContent = line;
  $('status').dataset.state = state;
}

/** What a stream or datagram carried: its text where it is short text, else a link to save it. */
async function preview(blob, source) {
  try {
    if (blob.size <= PREVIEW_BYTES) {
      const words = new TextDecoder('utf-8', {fatal: true}).decode(await blob.arrayBuffer());
      return blob.size > 0 ? `: “${words}”` : '';
    }
  } catch {
    // Not text.
  }
  const href = URL.createObjectURL(blob.slice(0, blob.size, 'application/octet-stream'));
  return [': ', element('a', {href, download: `from-${source}.bin`, textContent: 'save'})];
}

async function onStream(stream) {
  const what = `${stream.bidirectional ? 'request' : 'stream'} from ${stream.source}`;
  try {
    if (stream.bidirectional) stream.accept();
    const blob = await readBlob(stream.readable, TAKE_AT_MOST);
    log([`${what}, ${size(blob.size)}`, await preview(blob, stream.source)].flat());
    if (stream.bidirectional) await writeBlob(stream.writable, new Blob([`${agent?.id} got ${blob.size} bytes`]));
  } catch (error) {
    log(`${what} broke off: ${describe(error)}`, true);
  }
}

async function onDatagram({source, payload, kind}) {
  const from = kind === 'service' ? `service ${source}` : source;
  log([`datagram from ${from}, ${size(payload.length)}`, await preview(new Blob([payload]), source)].flat());
}

function show(connected) {
  $('connect-button').disabled = connected;
  $('disconnect-button').disabled = !connected;
  for (const button of $('send').querySelectorAll('button')) button.disabled = !agent;
  for (const id of ['url', 'id', 'token']) $(id).readOnly = connected;
  $('rtt').textContent = '';
}

function onClosed(line, state) {
  agent = undefined;
  status(line, state);
  log(line, state === 'bad');
  show(false);
  listAgents();
}

async function start() {
  status('connecting', 'wait');
  show(true);
  let made;
  try {
    made = await connect($('url').value, {id: $('id').value, token: $('token').value, onStream, onDatagram});
  } catch (error) {
    onClosed(`refused: ${describe(error)}`, 'bad');
    return;
  }
  agent = made;
  agent.addEventListener('goaway', ({detail}) => log(`the broker is going away within ${duration(detail.deadline / 1000)}`, true));
  agent.addEventListener('throttled', ({detail}) => log(`held back by the broker for ${detail.retryAfter} ms`, true));
  agent.closed.then(
    ({closeCode, reason}) => onClosed(`closed: ${reason || `code ${closeCode}`}`, closeCode === 0 ? 'idle' : 'bad'),
    (error) => onClosed(`lost: ${describe(error)}`, 'bad'),
  );
  status(`connected as ${agent.id}`, 'good');
  log(`connected as ${agent.id}`);
  show(true);
  listAgents();
  showRoundTrip();
}

async function showRoundTrip() {
  const ms = await agent?.ping().catch(() => undefined);
  if (agent && ms !== undefined) $('rtt').textContent = `RTT ${figure(ms)} ms`;
}

async function request(target, blob, priority) {
  const stream = agent.openStream(`agent:${target}`, {priority});
  writeBlob(stream.writable, blob).catch(() => {}); // its failure shows on the way back
  return readBlob(stream.readable, TAKE_AT_MOST);
}

async function send(how, target, blob, priority) {
  const from = performance.now();
  const took = () => `in ${duration((performance.now() - from) / 1000)}`;
  try {
    if (how === 'datagram') {
      agent.sendDatagram(`agent:${target}`, await blob.arrayBuffer(), {priority});
      log(`datagram to ${target}, ${size(blob.size)}`);
    } else if (how === 'send') {
      await writeBlob(agent.openStream(`agent:${target}`, {priority, unidirectional: true}).writable, blob);
      log(`sent to ${target}, ${size(blob.size)} ${took()}`);
    } else {
      const answer = await request(target, blob, priority);
      log([`${target} answered ${size(answer.size)} ${took()}`, await preview(answer, target)].flat());
    }
  } catch (error) {
    log(`${how} to ${target} failed: ${describe(error)}`, true);
  }
}

function agentRow(a) {
  const name = element('button', {type: 'button', className: 'link', textContent: a.id, title: 'send to this agent'});
  name.addEventListener('click', () => {
    $('target').value = a.id;
    $('text').focus();
  });
  const cell = (label, content, className = 'number') => {
    const made = element('td', {className}, content);
    made.dataset.label = label;
    return made;
  };
  return element('tr', {}, cell('Id', name, ''), cell('Carrier', CARRIERS[a.carrier] ?? a.carrier, 'carrier'),
    cell('Address', a.address, 'address'), cell('Since', duration(a.connected_for)),
    cell('Streams', a.streams), cell('In', size(a.bytes_in)), cell('Out', size(a.bytes_out)),
    cell('RTT', a.rtt > 0 ? duration(a.rtt) : '–'));
}

function showAgents(agents, note) {
  const [body] = $('agents').tBodies;
  const focused = body.contains(document.activeElement) && document.activeElement.textContent;
  $('agents').hidden = agents.length === 0;
  body.replaceChildren(...agents.map(agentRow));
  if (focused) [...body.querySelectorAll('button')].find((b) => b.textContent === focused)?.focus();
  $('known-agents').replaceChildren(...agents.map((a) => new Option(a.id, a.id)));
  $('agent-count').textContent = agents.length > 0 ? `(${agents.length})` : '';
  $('agents-note').textContent = note;
}

async function listAgents() {
  try {
    const answer = await fetch('/api/v1/agents', {cache: 'no-store'});
    if (!answer.ok) throw new Error(`the broker answered ${answer.status}`);
    const {agents} = await answer.json();
    agents.sort((a, b) => a.id.localeCompare(b.id, 'en', {numeric: true}));
    showAgents(agents, agents.length > 0 ? '' : 'none connected');
  } catch (error) {
    showAgents([], `The list cannot be read: ${describe(error)}.`);
  }
}

async function listAgentsForEver() {
  for (;;) {
    if (!document.hidden) {
      showRoundTrip();
      await listAgents();
    }
    await new Promise((resolve) => setTimeout(resolve, LIST_EVERY));
  }
}

$('connect').addEventListener('submit', (event) => {
  event.preventDefault();
  start();
});
$('send').addEventListener('submit', async (event) => {
  event.preventDefault();
  const how = event.submitter.value;
  const file = $('file').files[0];
  if (agent) send(how, $('target').value, file ?? new Blob([$('text').value]), Number($('priority').value));
});
$('disconnect-button').addEventListener('click', () => agent?.close({closeCode: 0, reason: 'bye'}));

const query = new URLSearchParams(location.search);
$('id').value = query.get('id') ?? `page-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
$('url').value = query.get('url') ?? `https://${location.hostname}:4433/quicms`;
if (!query.has('url')) brokerUrl().then((url) => { if (url) $('url').value = url; }, () => {});
show(false);
listAgentsForEver();
const why = await obstacle();
if (why) {
  $('connect-button').disabled = true;
  status(why, 'bad');
}
