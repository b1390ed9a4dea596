// SPDX-License-Identifier: MIT
// The page around the client: forms, the list of agents, a log of what arrived.
import {Agent, errorCode, readAll, writeAll} from '/js/agent.js';
import {brokerUrl, certificateHashes} from '/js/broker.js';
import {$, element} from '/js/dom.js';
import {duration, figure, size} from '/js/format.js';
import {codeName, Kind, text, utf8} from '/js/wire.js';

const LOG_LINES = 200;
const PREVIEW_BYTES = 200;
const TAKE_AT_MOST = 256 << 20; // a page keeps what arrives in memory
const LIST_EVERY = 2000;
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

function describe(error) {
  const code = errorCode(error);
  if (code === undefined) return String(error?.message || error);
  const name = codeName(code);
  return error.message && error.message !== name ? `${error.message} (${name}, code ${code})` : `${name} (code ${code})`;
}

/** What a stream or datagram carried: its text where it is short text, else a link to save it. */
function preview(bytes, source) {
  try {
    if (bytes.length <= PREVIEW_BYTES) return bytes.length > 0 ? `: “${text(bytes)}”` : '';
  } catch {
    // Not text.
  }
  const href = URL.createObjectURL(new Blob([bytes], {type: 'application/octet-stream'}));
  return [': ', element('a', {href, download: `from-${source}.bin`, textContent: 'save'})];
}

async function onStream(stream) {
  const what = `${stream.bidirectional ? 'request' : 'stream'} from ${stream.source}`;
  try {
    const writable = await stream.accept();
    const bytes = await readAll(stream.readable, TAKE_AT_MOST);
    log([`${what}, ${size(bytes.length)}`, preview(bytes, stream.source)].flat());
    if (writable) await writeAll(writable, utf8(`${stream.agent.id} got ${bytes.length} bytes`));
  } catch (error) {
    log(`${what} broke off: ${describe(error)}`, true);
  }
}

function onDatagram(source, payload, kind) {
  const from = kind === Kind.SERVICE ? `service ${source}` : source;
  log([`datagram from ${from}, ${size(payload.length)}`, preview(payload, source)].flat());
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

async function connect() {
  status('connecting', 'wait');
  show(true);
  let made;
  try {
    const url = $('url').value;
    made = await Agent.connect(url, {
      id: $('id').value,
      token: $('token').value || undefined,
      serverCertificateHashes: await certificateHashes(url).catch(() => undefined),
      onStream,
      onDatagram,
      onGoaway: (code, ms) => log(`the broker is going away within ${duration(ms / 1000)}`, true),
      onThrottled: (what, ms) => log(`held back by the broker for ${ms} ms`, true),
    });
  } catch (error) {
    onClosed(`refused: ${describe(error)}`, 'bad');
    return;
  }
  agent = made;
  agent.closed.then(
    ({closeCode, reason}) => onClosed(`closed: ${reason || codeName(closeCode)}`, closeCode === 0 ? 'idle' : 'bad'),
    (error) => onClosed(`lost: ${describe(error)}`, 'bad'),
  );
  status(`connected as ${agent.id}`, 'good');
  log(`connected as ${agent.id}`);
  show(true);
  listAgents();
  showRoundTrip();
}

async function showRoundTrip() {
  const ms = await agent?.ping();
  if (agent) $('rtt').textContent = `RTT ${figure(ms)} ms`;
}

async function send(how, target, bytes, priority) {
  const from = performance.now();
  const took = () => `in ${duration((performance.now() - from) / 1000)}`;
  try {
    if (how === 'datagram') {
      await agent.sendDatagram(target, bytes);
      log(`datagram to ${target}, ${size(bytes.length)}`);
    } else if (how === 'send') {
      await writeAll(await agent.openUnidirectional(target, {priority}), bytes);
      log(`sent to ${target}, ${size(bytes.length)} ${took()}`);
    } else {
      const answer = await agent.request(target, bytes, {priority});
      log([`${target} answered ${size(answer.length)} ${took()}`, preview(answer, target)].flat());
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
  return element('tr', {}, cell('Id', name, ''), cell('Carrier', a.carrier, 'carrier'),
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
  connect();
});
$('send').addEventListener('submit', async (event) => {
  event.preventDefault();
  const how = event.submitter.value;
  const file = $('file').files[0];
  const bytes = file ? new Uint8Array(await file.arrayBuffer()) : utf8($('text').value);
  if (agent) send(how, $('target').value, bytes, Number($('priority').value));
});
$('disconnect-button').addEventListener('click', () => agent?.close(0, 'bye'));

const query = new URLSearchParams(location.search);
$('id').value = query.get('id') ?? `page-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
$('url').value = query.get('url') ?? `https://${location.hostname}:4433/quicms`;
if (!query.has('url')) brokerUrl().then((url) => { if (url) $('url').value = url; }, () => {});
show(false);
listAgentsForEver();
