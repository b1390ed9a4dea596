// SPDX-License-Identifier: MIT
// The compiled client: loading it, passing bytes to and fro, and the way of its events to the
// objects behind its handles.  The order of Event is that of enum qmsp_event in package.h.
import factory from './quicms-core.js';
import {QuicmsError, invalid} from './errors.js';

export const Event = Object.fromEntries(['READY', 'REFUSED', 'STREAM', 'DATAGRAM', 'THROTTLED', 'GOAWAY',
  'PONG', 'TOKEN', 'CLOSED', 'MESSAGE', 'RECONNECTING', 'PRESENCE', 'DONE', 'RESULT', 'READABLE',
  'WRITABLE', 'STOPPED', 'ENDED', 'FRAME', 'SKIPPED'].map((name, i) => [name, i]));
export const Err = {OK: 0, AGAIN: 2, RESET: 19, WIRE: 256};
const BUFFER = 65536;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const text = (bytes) => decoder.decode(bytes);

/** Bytes of what a caller gave: a string, a buffer or a view. */
export function bytesOf(value) {
  if (typeof value === 'string') return encoder.encode(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError('bytes must be a string, an ArrayBuffer or a view of one');
}

class Core {
  #handles = new Map();
  #calls = new Map();
  #nextCall = 1;

  async load() {
    this.wasm = await factory({onEvent: (...args) => this.#onEvent(...args)});
    this.client = this.wasm._qmsp_client();
    this.buffer = this.wasm._malloc(BUFFER);
    if (!this.client || !this.buffer) throw this.error(1);
    return this;
  }

  // ---- events ----

  #onEvent(what, handle, a, b, first, second) {
    if (what === Event.DONE) {
      const call = this.#calls.get(b);
      this.#calls.delete(b);
      if (a === Err.OK) call?.resolve(second.slice());
      else call?.reject(this.error(a));
      return;
    }
    this.#handles.get(handle)?.onEvent(what, a, b, first, second);
  }
  bind(handle, object) {
    this.#handles.set(handle, object);
  }
  unbind(handle) {
    this.#handles.delete(handle);
  }
  /** A call that is answered by Event.DONE: `begin(number)` makes it and returns its error. */
  ask(begin) {
    return new Promise((resolve, reject) => {
      const number = this.#nextCall++;
      this.#calls.set(number, {resolve, reject});
      const err = begin(number);
      if (err !== Err.OK) {
        this.#calls.delete(number);
        reject(this.error(err));
      }
    });
  }

  // ---- errors ----

  error(err, message) {
    const w = this.wasm;
    return new QuicmsError(message || w.UTF8ToString(w._qms_strerror(err)), {
      name: w.UTF8ToString(w._qms_err_name(err)),
      code: err >= Err.WIRE ? err - Err.WIRE : err === Err.RESET ? 0 : undefined,
      by: w.UTF8ToString(w._qms_err_who_name(err)),
    });
  }
  check(err) {
    if (err !== Err.OK) throw this.error(err);
  }

  // ---- memory ----

  /** Runs `body` with a function that puts texts and bytes where the library can read them. */
  lend(body) {
    const {wasm} = this;
    const lent = [];
    const put = (value) => {
      const bytes = bytesOf(value);
      const at = wasm._malloc(bytes.length + 1);
      if (!at) throw this.error(1);
      lent.push(at);
      wasm.HEAPU8.set(bytes, at);
      wasm.HEAPU8[at + bytes.length] = 0;
      return at;
    };
    try {
      return body(put);
    } finally {
      for (const at of lent) wasm._free(at);
    }
  }
  /** Room for some results, until the next call of this. */
  get out() {
    return this.buffer;
  }
  u32(at) {
    return this.wasm.HEAPU32[at >> 2];
  }
  doubles(count) {
    return Array.from(this.wasm.HEAPF64.subarray(this.buffer >> 3, (this.buffer >> 3) + count));
  }
  /** Copies to the library's memory what fits; returns where, and how much. */
  stage(bytes) {
    const some = bytes.length > BUFFER ? bytes.subarray(0, BUFFER) : bytes;
    this.wasm.HEAPU8.set(some, this.buffer);
    return [this.buffer, some.length];
  }
  /** Figures by name. */
  figures(read, nameOf, handle) {
    const count = read(handle, this.buffer);
    return Object.fromEntries(this.doubles(count).map((value, i) => [this.wasm.UTF8ToString(nameOf(i)), value]));
  }

  // ---- targets and header fields ----

  /** Runs `body(params)` with the optional fields of a ROUTE header. */
  withFields(options, body) {
    const {wasm} = this;
    const p = wasm._qms_open_new();
    if (!p) throw this.error(1);
    try {
      ['meta', 'contentType', 'traceparent', 'token'].forEach((name, i) => {
        if (options[name] === undefined) return;
        const bytes = bytesOf(options[name]);
        this.check(this.lend((put) => wasm._qmsp_open_set(p, i, put(bytes), bytes.length)));
      });
      this.check(wasm._qmsp_open_numbers(p, options.lengthHint ?? -1, options.acceptDeadline ?? -1));
      return body(p);
    } finally {
      wasm._qms_open_free(p);
    }
  }
}

export const Kind = {AGENT: 1, GROUP: 2, TOPIC: 3, SERVICE: 4};
const KINDS = {agent: 1, group: 2, topic: 3, service: 4};
export const kindName = (kind) => Object.keys(KINDS)[kind - 1];

/** 'NAME' of an agent, 'agent:NAME', 'group:NAME', 'topic:NAME', 'service:NAME' or {kind, name}. */
export function targetOf(target) {
  if (typeof target === 'object' && target !== null && KINDS[target.kind]) {
    return {kind: KINDS[target.kind], name: String(target.name)};
  }
  if (typeof target !== 'string') throw invalid('a target must be a name or {kind, name}');
  const [, kind, name] = /^(agent|group|topic|service):(.*)$/s.exec(target) ?? [null, 'agent', target];
  return {kind: KINDS[kind], name};
}

/** 0..255; undefined is NORMAL. */
export function priorityOf(value) {
  const priority = value ?? 128;
  if (!Number.isInteger(priority) || priority < 0 || priority > 255) {
    throw invalid('a priority must be an integer from 0 to 255');
  }
  return priority;
}

let loading;
/** The one compiled client of this page or worker. */
export function load() {
  loading ??= new Core().load().catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
