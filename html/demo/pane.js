// SPDX-License-Identifier: MIT
// One of the two agents: its form sends to the other, its list tells what came from there.
import {readBlob, writeBlob} from '../js/bytes.js';
import {describe} from '../js/client.js';
import {element, setText, sleep} from '../js/dom.js';
import {count, duration, plural, size} from '../js/format.js';
import {nearest, PRIORITIES} from '../js/priorities.js';
import {addTransfer} from './timeline.js';

const KEPT = 50;
const TAKE_AT_MOST = 256 << 20; // what arrives is kept in memory
const DATAGRAMS = 100;
const DATAGRAM_EVERY = 5; // milliseconds
const decoder = new TextDecoder();
const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, '0')).join('');
const sha256 = async (blob) => hex(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));

export class Pane {
  #datagrams = {sent: 0, seen: 0, delays: []};

  constructor(side, course) {
    this.side = side;
    this.course = course; // takes the streams of a race; undefined: this side has none
    this.#build();
  }

  #build() {
    const {side} = this;
    this.name = element('small', {textContent: 'not connected'});
    this.file = element('input', {type: 'file', id: `${side}-file`});
    this.message = element('input', {type: 'text', id: `${side}-text`, autocomplete: 'off', maxLength: 1000, placeholder: 'a few words'});
    this.priority = element('select', {id: `${side}-priority`}, ...Object.keys(PRIORITIES).map((name) => element('option', {value: name, textContent: name})));
    this.priority.value = 'normal';
    const button = (value, label, className = '') => element('button', {value, textContent: label, className, disabled: true});
    this.buttons = [button('file', 'Send file', 'main'), button('text', 'Send message'), button('datagrams', `${DATAGRAMS} datagrams`)];
    this.form = element('form', {},
      element('div', {className: 'pair'}, element('label', {textContent: 'File'}, this.file), element('label', {textContent: 'Priority'}, this.priority)),
      element('label', {textContent: 'Message'}, this.message),
      element('div', {className: 'row even'}, ...this.buttons));
    this.state = element('p', {className: 'note', attributes: {role: 'status'}});
    this.arrived = element('ol', {className: 'arrived', attributes: {'aria-label': `What arrived at ${side}`}});
    this.node = element('section', {className: 'card pane', id: side, attributes: {'aria-labelledby': `${side}-title`}},
      element('h2', {id: `${side}-title`}, side === 'left' ? 'Left' : 'Right', this.name), this.form, this.state, this.arrived);
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send(event.submitter.value).catch((error) => this.#say(`Not sent: ${describe(error)}.`));
    });
  }

  /** Options for connect(): what to do with what comes. */
  get handlers() {
    return {
      onStream: (stream) => { if (!this.course?.take(stream)) this.#receive(stream); },
      onDatagram: ({payload}) => this.#onDatagram(payload),
    };
  }

  /** `connection` undefined: not connected any more. */
  use(connection, other) {
    this.connection = connection;
    this.other = other;
    setText(this.name, connection?.id ?? 'not connected');
    for (const b of this.buttons) b.disabled = !connection;
  }

  #say(sentence) {
    setText(this.state, sentence);
  }

  #add(...parts) {
    this.arrived.prepend(element('li', {}, ...parts));
    while (this.arrived.children.length > KEPT) {
      const oldest = this.arrived.lastChild;
      for (const link of oldest.querySelectorAll('a')) URL.revokeObjectURL(link.href);
      oldest.remove();
    }
  }

  async #send(what) {
    const priority = PRIORITIES[this.priority.value];
    if (what === 'datagrams') await this.#sendDatagrams();
    else if (what === 'text') await this.#sendBlob(new Blob([this.message.value]), 'text/', priority);
    else if (this.file.files.length === 0) this.#say('Choose a file first.');
    else await this.#sendBlob(this.file.files[0], `file/${this.file.files[0].name}`, priority);
  }

  /** The other side answers with the hash of what it got. */
  async #sendBlob(blob, meta, priority) {
    const from = performance.now();
    const name = meta.startsWith('file/') ? meta.slice(5) : 'message';
    const stream = this.connection.openStream(`agent:${this.other}`, {priority, meta: `${from}/${meta}`});
    const sent = writeBlob(stream.writable, blob);
    this.#say(`Sending ${name}, ${size(blob.size)} …`);
    const [answer, hash] = await Promise.all([readBlob(stream.readable, 1000).then((b) => b.text()), sha256(blob), sent]);
    this.#say(answer === hash ? `${name} arrived there intact: the other side has the same SHA-256, ${hash.slice(0, 12)}…`
      : `${name} arrived changed: SHA-256 ${answer.slice(0, 12)}… there, ${hash.slice(0, 12)}… here.`);
  }

  async #receive(stream) {
    const [start, kind, ...rest] = decoder.decode(stream.meta).split('/');
    const name = rest.join('/');
    try {
      if (stream.bidirectional) stream.accept();
      const blob = await readBlob(stream.readable, TAKE_AT_MOST, (length) => this.#say(`Receiving ${name || 'a message'}: ${size(length)}`));
      const until = performance.now();
      const hash = await sha256(blob);
      if (stream.bidirectional) await writeBlob(stream.writable, new Blob([hash]));
      this.#say('');
      await this.#show(blob, {kind, name, hash, from: Number(start) || until, until, priority: stream.priority.forward});
    } catch (error) {
      this.#add(element('span', {className: 'broken', textContent: `${name || 'A message'} broke off: ${describe(error)}.`}));
    }
  }

  async #show(blob, {kind, name, hash, from, until, priority}) {
    const arrow = this.side === 'right' ? '→' : '←';
    const facts = `${size(blob.size)}, ${nearest(priority)}, ${duration((until - from) / 1000)}`;
    if (kind === 'text') {
      this.#add(`“${await blob.text()}” (${facts})`);
    } else {
      const link = element('a', {href: URL.createObjectURL(blob), download: name || 'file', textContent: `save ${name || 'file'}`});
      this.#add(link, ` (${facts}), SHA-256 `, element('code', {textContent: hash.slice(0, 16), title: hash}));
    }
    addTransfer({what: `${arrow} ${kind === 'text' ? 'message' : name}`, priority, bytes: blob.size, from, until});
  }

  async #sendDatagrams() {
    const run = crypto.getRandomValues(new Uint32Array(1))[0];
    for (let i = 0; i < DATAGRAMS; i++) {
      const view = new DataView(new ArrayBuffer(16));
      view.setUint32(0, run);
      view.setUint32(4, i);
      view.setFloat64(8, performance.now());
      this.connection.sendDatagram(`agent:${this.other}`, new Uint8Array(view.buffer));
      await sleep(DATAGRAM_EVERY);
    }
    this.#say(`${plural(DATAGRAMS, 'datagram')} sent; the other side tells how many arrived.`);
  }

  /** One line a run, which counts up. */
  #onDatagram(payload) {
    if (payload.length < 16) return;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    const run = view.getUint32(0);
    if (run !== this.#datagrams.run) {
      this.#datagrams = {run, delays: [], line: element('span')};
      this.#add(this.#datagrams.line);
    }
    const {delays, line} = this.#datagrams;
    delays.push(performance.now() - view.getFloat64(8));
    const sorted = [...delays].sort((a, b) => a - b);
    setText(line, `${count(delays.length)} of ${plural(DATAGRAMS, 'datagram')} arrived, half of them within ${duration(sorted[sorted.length >> 1] / 1000)}`);
  }
}
