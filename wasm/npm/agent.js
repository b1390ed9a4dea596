// SPDX-License-Identifier: MIT
// One connection to a broker: what arrives on it, and what can be asked of it.
import {codeOf, invalid} from './errors.js';
import {Err, Event, bytesOf, kindName, load, priorityOf, targetOf, text} from './core.js';
import {Queue} from './queue.js';
import {Stream} from './stream.js';

const FLAGS = {idempotent: 1, noResult: 2, framed: 4, unidirectional: 0x100};
const STREAMS_WAITING = 1024;
const OTHERS_WAITING = 1024;
const BUSY = 0x09;
const PRESENCE = ['offline', 'online', 'snapshot'];
const SLOW_POLICY = {block: 1, drop: 2, disconnect: 3};
const THROTTLED = {1: 'streams', 2: 'bytes', 3: 'datagrams'};

/** A group or topic joined, or a prefix watched: what arrives for it, as an async iterable. */
class Subscription extends Queue {
  #leave;
  #left;
  constructor(leave) {
    super(OTHERS_WAITING, () => { this.leave().catch(() => {}); });
    this.#leave = leave;
  }
  /** Ends it; resolves when the broker has confirmed. */
  leave() {
    this.#left ??= this.#leave().finally(() => this.end());
    return this.#left;
  }
}

const milliseconds = (value, fallback) => (value === undefined ? fallback : value === Infinity ? -1 : value);
const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');

export class Agent extends EventTarget {
  #core;
  #c = 0;
  #options;
  #ready = false;
  #settle;
  #closed;
  #pings = [];
  #tokens = [];
  #groups = new Map();
  #watches = new Map();

  constructor(core, url, options) {
    super();
    this.#core = core;
    this.#options = options;
    this.url = url;
    this.id = '';
    this.incomingStreams = new Queue(STREAMS_WAITING);
    this.incomingDatagrams = new Queue(OTHERS_WAITING);
    this.incomingMessages = new Queue(OTHERS_WAITING);
    this.closed = new Promise((resolve, reject) => { this.#closed = {resolve, reject}; });
    this.closed.catch(() => {});
  }

  // ---- connecting ----

  /** Resolves when the broker has welcomed the agent. */
  async start() {
    const {signal} = this.#options;
    const token = await this.#freshToken();
    signal?.throwIfAborted();
    const welcomed = new Promise((resolve, reject) => { this.#settle = {resolve, reject}; });
    this.#connect(token);
    const onAbort = () => {
      this.#settle.reject(signal.reason);
      this.close({closeCode: 0x12, reason: 'aborted'});
    };
    signal?.addEventListener('abort', onAbort, {once: true});
    this.closed.finally(() => signal?.removeEventListener('abort', onAbort)).catch(() => {});
    await welcomed;
    return this;
  }
  async #freshToken() {
    const {token} = this.#options;
    return (typeof token === 'function' ? await token() : token) ?? '';
  }
  #connect(token) {
    const core = this.#core;
    const {wasm} = core;
    const o = wasm._qms_options_new();
    if (!o) throw core.error(1);
    try {
      core.lend((put) => this.#setOptions(o, put, token));
      core.lend((put) => {
        const out = put(new Uint8Array(4));
        const fresh = typeof this.#options.token === 'function' ? 1 : 0;
        const err = wasm._qmsp_connect(core.client, o, put(this.url), fresh, out);
        if (err !== Err.OK) throw core.error(err, wasm.UTF8ToString(wasm._qms_client_error(core.client)));
        this.#c = core.u32(out);
      });
      core.bind(this.#c, this);
    } finally {
      wasm._qms_options_free(o);
    }
  }
  #setOptions(o, put, token) {
    const {wasm} = this.#core;
    const options = this.#options;
    const check = (err) => this.#core.check(err);
    const again = options.reconnect === false ? {min: 0, max: 0} : {min: 250, max: 30_000, ...options.reconnect};
    check(wasm._qms_options_set_agent_id(o, put(options.id ?? '')));
    check(wasm._qms_options_set_token(o, put(token)));
    for (const {algorithm, value} of options.serverCertificateHashes ?? []) {
      if (algorithm !== 'sha-256') throw invalid('certificate hashes are of the algorithm sha-256');
      check(wasm._qms_options_add_certificate_pin(o, put(hex(bytesOf(value)))));
    }
    if (options.certificateHashesUrl !== undefined) {
      check(wasm._qms_options_set_web_certificate_url(o, put(String(options.certificateHashesUrl))));
    }
    if (options.sendBuffer !== undefined) check(wasm._qms_options_set_send_buffer(o, options.sendBuffer));
    if (options.maxMessage !== undefined) check(wasm._qms_options_set_max_message(o, options.maxMessage));
    wasm._qms_options_set_web_views(o, options.zeroCopy ? 1 : 0);
    check(wasm._qmsp_options_times(o, milliseconds(options.connectTimeout, 10_000),
      options.idleTimeout ?? 30_000, options.keepAlive ?? 10_000, again.min, again.max));
  }

  // ---- events ----

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, {detail}));
  }
  onEvent(what, a, b, first, second) {
    switch (what) {
      case Event.READY: this.#onReady(); break;
      case Event.REFUSED: this.#onRefused(a, b, text(first), text(second)); break;
      case Event.STREAM: this.#onStream(a); break;
      case Event.DATAGRAM: this.#onDatagram(kindName(a), b, text(first), second.slice()); break;
      case Event.THROTTLED: this.#tell('throttled', {what: THROTTLED[a], retryAfter: b}); break;
      case Event.GOAWAY: this.#tell('goaway', {error: this.#core.error(a), deadline: b, redirect: text(first)}); break;
      case Event.PONG: this.#pings.shift()?.resolve(a); break;
      case Event.TOKEN: this.#onToken(a); break;
      case Event.CLOSED: this.#onClosed(a, b, text(first)); break;
      case Event.MESSAGE: this.#onMessage(a, second.slice()); break;
      case Event.RECONNECTING: this.#onReconnecting(a, b, text(first)); break;
      case Event.PRESENCE: this.#onPresence(a, b, text(first)); break;
      default:
    }
  }
  #onReady() {
    const {wasm} = this.#core;
    this.id = wasm.UTF8ToString(wasm._qms_connection_id(this.#c));
    this.#ready = true;
    this.#settle.resolve();
    this.#tell('ready', {id: this.id});
  }
  #onRefused(err, retryAfter, reason, redirect) {
    this.refusal = Object.assign(this.#core.error(err, reason), retryAfter > 0 ? {retryAfter} : {},
      redirect ? {redirect} : {});
  }
  /** The first attempt is not repeated, but where the broker names another one. */
  #onReconnecting(err, delay, reason) {
    const error = this.#takeRefusal() ?? this.#core.error(err, reason);
    this.#endQuestions(error);
    if (!this.#ready && delay > 0) {
      this.#settle.reject(error);
      this.close();
      return;
    }
    if (typeof this.#options.token === 'function') {
      this.#freshToken().then((token) => {
        if (this.#c) this.#core.lend((put) => this.#core.wasm._qmsp_next_token(this.#c, put(token)));
      }, () => {}); // then the old one is shown once more
    }
    this.#tell('reconnecting', {error, delay});
  }
  #takeRefusal() {
    const {refusal} = this;
    this.refusal = undefined;
    return refusal;
  }
  #endQuestions(error) {
    for (const {reject} of [...this.#pings.splice(0), ...this.#tokens.splice(0)]) reject(error);
  }
  #onStream(handle) {
    const stream = new Stream(this.#core, handle, {opener: false, noResult: false});
    const queue = this.#groups.get(`${stream.kind}:${stream.target}`) ?? this.incomingStreams;
    if (!queue.push(stream)) stream.reject(BUSY, 'nobody takes the streams that arrive here');
  }
  #arrived(queue, item) {
    if (!queue.push(item)) {
      queue.shift(); // the oldest goes
      queue.push(item);
    }
  }
  #onDatagram(kind, priority, source, payload) {
    this.#arrived(this.incomingDatagrams, {kind, source, priority, payload});
  }
  #onMessage(from, payload) {
    const {wasm, out} = this.#core;
    const bytes = (i) => {
      const at = wasm._qmsp_bytes(from, i, out);
      return wasm.HEAPU8.slice(at, at + this.#core.u32(out));
    };
    wasm._qmsp_numbers(from, out);
    const [, kind, , , priority] = this.#core.doubles(8);
    const message = {kind: kindName(kind), target: text(bytes(0)), source: text(bytes(1)),
      contentType: text(bytes(2)), meta: bytes(7), priority, payload};
    this.#arrived(this.incomingMessages, message);
  }
  #onToken(err) {
    const call = this.#tokens.shift();
    if (err === Err.OK) call?.resolve();
    else call?.reject(this.#core.error(err));
  }
  #onPresence(watch, state, agent) {
    this.#watches.get(watch)?.push({agent, state: PRESENCE[state]});
  }
  #onClosed(err, code, reason) {
    const {wasm} = this.#core;
    const error = this.#takeRefusal() ?? this.#core.error(err, reason);
    this.lastStats = this.#figures();
    wasm._qms_connection_release(this.#c);
    this.#core.unbind(this.#c);
    this.#c = 0;
    this.#settle.reject(error);
    this.#endQuestions(error);
    const broken = err !== Err.OK && (err < Err.WIRE || !this.#ready) && err !== 4;
    for (const q of [this.incomingStreams, this.incomingDatagrams, this.incomingMessages,
      ...this.#groups.values(), ...this.#watches.values()]) q.end(broken ? error : undefined);
    if (broken) this.#closed.reject(error);
    else this.#closed.resolve({closeCode: code, reason});
  }
  #handle() {
    if (!this.#c) throw this.#core.error(4);
    return this.#c;
  }

  // ---- streams ----

  /** Opens a stream; what is written leaves at once, the answer is in `result`. */
  openStream(target, options = {}) {
    const {kind, name} = targetOf(target);
    const core = this.#core;
    const flags = Object.entries(FLAGS).reduce((sum, [key, bit]) => sum | (options[key] ? bit : 0), 0)
      | (kind === 3 ? FLAGS.unidirectional : 0);
    const handle = core.withFields(options, (params) => core.lend((put) => {
      const out = put(new Uint8Array(4));
      core.check(core.wasm._qmsp_open(this.#handle(), kind, put(name), flags, priorityOf(options.priority), params, out));
      return core.u32(out);
    }));
    return new Stream(core, handle, {opener: true, noResult: Boolean(options.noResult)});
  }
  /** Sends bytes on a stream of their own and resolves with the whole answer. */
  async request(target, payload, options = {}) {
    if (options.signal) return this.#requestWith(options.signal, target, payload, options);
    const {kind, name} = targetOf(target);
    const core = this.#core;
    const bytes = bytesOf(payload);
    return core.withFields(options, (params) => core.ask((call) => core.lend((put) => core.wasm._qmsp_request(
      this.#handle(), kind, put(name), priorityOf(options.priority), params, put(bytes), bytes.length,
      milliseconds(options.timeout, -1), call))));
  }
  /** One that can be given up: its stream is ours to reset. */
  async #requestWith(signal, target, payload, {signal: _, timeout, ...options}) {
    signal.throwIfAborted();
    const both = timeout === undefined || timeout === Infinity ? signal
      : AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
    const stream = this.openStream(target, options);
    const giveUp = () => {
      try {
        stream.reset();
        stream.stop();
      } catch {
        // It is over.
      }
    };
    both.addEventListener('abort', giveUp, {once: true});
    try {
      const writer = stream.writable.getWriter();
      writer.write(bytesOf(payload)).then(() => writer.close()).catch(() => {}); // shows on the way back
      await stream.result;
      return new Uint8Array(await new Response(stream.readable).arrayBuffer());
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (both.aborted) throw this.#core.error(12);
      throw await stream.closed.then(() => error, (fate) => fate);
    } finally {
      both.removeEventListener('abort', giveUp);
    }
  }
  /** Sends one message; resolves when the broker has all of it and nobody has refused it. */
  async send(target, payload, options = {}) {
    const {kind, name} = targetOf(target);
    const core = this.#core;
    const bytes = bytesOf(payload);
    await core.withFields(options, (params) => core.ask((call) => core.lend((put) => core.wasm._qmsp_send(
      this.#handle(), kind, put(name), priorityOf(options.priority), params, put(bytes), bytes.length, call))));
  }

  // ---- datagrams ----

  sendDatagram(target, payload, options = {}) {
    const {kind, name} = targetOf(target);
    const bytes = bytesOf(payload);
    this.#core.check(this.#core.lend((put) => this.#core.wasm._qmsp_datagram(this.#handle(), kind, put(name),
      priorityOf(options.priority), put(bytes), bytes.length)));
  }
  datagramMax(target) {
    return this.#core.lend((put) => this.#core.wasm._qms_datagram_max(this.#handle(), put(targetOf(target).name)));
  }

  // ---- groups, topics, presence ----

  /** Joins 'group:NAME' or 'topic:NAME'; iterate over the streams that arrive for it. */
  join(target, {weight = -1, priority = -1, slowPolicy} = {}) {
    const {kind, name} = targetOf(target);
    const policy = slowPolicy === undefined ? -1 : SLOW_POLICY[slowPolicy];
    if (!policy) throw invalid(`slowPolicy is one of ${Object.keys(SLOW_POLICY)}`);
    const core = this.#core;
    const key = `${kindName(kind)}:${name}`;
    const sub = new Subscription(() => {
      this.#groups.delete(key);
      return core.ask((call) => core.lend((put) => core.wasm._qmsp_leave(this.#handle(), kind, put(name), call)));
    });
    sub.ready = core.ask((call) => core.lend((put) => core.wasm._qmsp_join(this.#handle(), kind, put(name),
      weight, priority, policy, call))).then(() => {});
    if (!this.#groups.has(key)) this.#groups.set(key, sub);
    sub.ready.catch((error) => {
      if (this.#groups.get(key) === sub) this.#groups.delete(key);
      sub.end(error);
    });
    return sub;
  }
  /** Iterates over {agent, state} of agents whose id begins with `prefix`. */
  watch(prefix = '') {
    const core = this.#core;
    const {wasm, out} = core;
    let number;
    const sub = new Subscription(() => {
      this.#watches.delete(number);
      return core.ask((call) => wasm._qmsp_unwatch(this.#handle(), number, call));
    });
    sub.ready = core.ask((call) => {
      const err = core.lend((put) => wasm._qmsp_watch(this.#handle(), put(prefix), call, out));
      [number] = core.doubles(1);
      return err;
    }).then(() => {});
    this.#watches.set(number, sub);
    sub.ready.catch((error) => {
      this.#watches.delete(number);
      sub.end(error);
    });
    return sub;
  }

  // ---- the connection ----

  #figures() {
    const {wasm} = this.#core;
    return this.#core.figures(wasm._qmsp_connection_stats, wasm._qms_connection_stat_name, this.#c);
  }
  /** Figures by name; round trips and packets as the broker sees them. */
  async stats() {
    if (!this.#c) return this.lastStats;
    await this.#core.ask((call) => this.#core.wasm._qmsp_ask_stats(this.#c, call)).catch(() => {});
    return this.#c ? this.#figures() : this.lastStats;
  }
  /** Round trip to the broker over CONTROL, in milliseconds. */
  ping() {
    return new Promise((resolve, reject) => {
      this.#core.check(this.#core.wasm._qms_connection_ping(this.#handle()));
      this.#pings.push({resolve, reject});
    });
  }
  /** Shows a fresh token on the living connection. */
  refreshToken(token) {
    return new Promise((resolve, reject) => {
      this.#core.check(this.#core.lend((put) => this.#core.wasm._qms_connection_refresh_token(this.#handle(), put(token))));
      this.#tokens.push({resolve, reject});
    });
  }
  /** Ends the connection; `closed` follows, and is what this returns. */
  close({closeCode = 0, reason = ''} = {}) {
    if (this.#c) {
      this.#core.lend((put) => this.#core.wasm._qmsp_close(this.#c, codeOf(closeCode), put(reason)));
    }
    return this.closed;
  }
  [Symbol.asyncDispose ?? Symbol('asyncDispose')]() {
    return this.close();
  }
}

export async function connect(url, options) {
  return new Agent(await load(), url, options).start();
}
