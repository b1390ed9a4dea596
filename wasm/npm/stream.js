// SPDX-License-Identifier: MIT
// One stream as a pair of Web Streams.  Nothing is read ahead here: what was not asked for waits in
// the library, and with it, by flow control, its sender.
import {codeOf} from './errors.js';
import {Err, Event, bytesOf, kindName, priorityOf, text} from './core.js';

const FRAMES_AHEAD = 16;
const BYTES = ['target', 'source', 'contentType', 'traceparent', 'acceptor', 'redirect', 'reason', 'meta',
  'resultMeta', 'token'];
const quiet = (promise) => { promise.catch(() => {}); return promise; };

function deferred() {
  const d = {};
  d.promise = quiet(new Promise((resolve, reject) => Object.assign(d, {resolve, reject})));
  return d;
}

export class Stream extends EventTarget {
  #core;
  #st;
  #opener;
  #noResult;
  #answered = false;
  #fate = deferred();
  #answer = deferred();
  #readControl;
  #writeControl;
  #wakeRead;
  #wakeWrite;
  #frames = [];
  #framesPaused = false;
  #lastStats;
  #lastPriority;
  #lastId;
  #framesOver = false;
  #error; // with which it has ended
  #readError; // its receiving direction

  constructor(core, handle, {opener, noResult = false}) {
    super();
    this.#core = core;
    this.#st = handle;
    this.#opener = opener;
    this.#noResult = noResult;
    core.bind(handle, this);
    this.#describe();
    /** Resolves when both directions have ended well, rejects with what ended the first otherwise. */
    this.closed = this.#fate.promise;
    /** Of a stream that this side opened: the answer, {meta, acceptor}, or the refusal. */
    this.result = this.#answer.promise;
    if (!opener || noResult) this.#answer.resolve({meta: new Uint8Array(0), acceptor: ''});
    const reads = this.bidirectional || !opener;
    const writes = this.bidirectional || opener;
    this.readable = reads ? this.#makeReadable() : undefined;
    this.writable = writes ? this.#makeWritable() : undefined;
  }

  // ---- what is known of it ----

  #bytes(name) {
    const {wasm, out} = this.#core;
    const at = wasm._qmsp_bytes(this.#st, BYTES.indexOf(name), out);
    return wasm.HEAPU8.slice(at, at + this.#core.u32(out));
  }
  #text(name) {
    return text(this.#bytes(name));
  }
  #numbers() {
    this.#core.wasm._qmsp_numbers(this.#st, this.#core.out);
    return this.#core.doubles(8);
  }
  #describe() {
    const [, kind, bidi, framed, , , lengthHint] = this.#numbers();
    this.kind = kindName(kind);
    this.bidirectional = Boolean(bidi);
    this.framed = Boolean(framed);
    this.lengthHint = lengthHint < 0 ? undefined : lengthHint;
    for (const name of ['target', 'source', 'contentType', 'traceparent']) this[name] = this.#text(name);
    this.meta = this.#bytes('meta');
    this.token = this.#bytes('token');
  }
  /** Number of the stream among those that its opener has opened; undefined while it waits. */
  get id() {
    if (this.#st) {
      const [id] = this.#numbers();
      this.#lastId = id < 0 ? undefined : id;
    }
    return this.#lastId;
  }
  /** Urgency of the opener's and of the acceptor's direction. */
  get priority() {
    if (this.#st) {
      const [, , , , forward, reverse] = this.#numbers();
      this.#lastPriority = {forward, reverse};
    }
    return this.#lastPriority;
  }
  setPriority(value) {
    const p = typeof value === 'number' ? {forward: this.#opener ? value : undefined, reverse: value} : value;
    const [forward, reverse] = [p.forward, p.reverse].map((v) => (v === undefined ? -1 : priorityOf(v)));
    this.#core.check(this.#core.wasm._qms_stream_set_priority(this.#handle(), forward, reverse));
  }
  stats() {
    if (this.#st) {
      const {wasm} = this.#core;
      this.#lastStats = this.#core.figures(wasm._qmsp_stream_stats, wasm._qms_stream_stat_name, this.#st);
    }
    return this.#lastStats;
  }
  #handle() {
    if (!this.#st) throw this.#error ?? this.#core.error(4);
    return this.#st;
  }

  // ---- answers ----

  /** Of a stream that the other side opened; the first write does it too. */
  accept({meta = new Uint8Array(0)} = {}) {
    const bytes = bytesOf(meta);
    this.#core.check(this.#core.lend((put) => this.#core.wasm._qmsp_accept(this.#handle(), put(bytes), bytes.length)));
    this.#answered = true;
  }
  reject(code = 0x08, reason = '') {
    this.#core.check(this.#core.lend((put) => this.#core.wasm._qms_stream_reject(this.#handle(), code, put(reason))));
    this.#answered = true;
    const error = this.#core.error(4);
    this.#fail(this.#readControl, error);
    this.#fail(this.#writeControl, error);
  }

  // ---- receiving ----

  #makeReadable() {
    const source = {
      start: (c) => { this.#readControl = c; },
      pull: (c) => this.#pull(c),
      cancel: (reason) => { if (this.#st) this.#core.wasm._qms_stream_stop(this.#st, codeOf(reason)); },
    };
    if (!this.framed) source.type = 'bytes';
    return new ReadableStream(source, {highWaterMark: 0});
  }
  async #pull(controller) {
    for (;;) {
      const got = this.framed ? this.#takeFrame() : this.#take();
      if (got) {
        controller.enqueue(got);
        return;
      }
      if (got === null) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      await new Promise((resolve) => { this.#wakeRead = resolve; });
    }
  }
  /** Bytes; null: the end; undefined: nothing there now. */
  #take() {
    const {wasm, out} = this.#core;
    if (!this.#st) {
      const error = this.#readError ?? this.#error;
      if (error) throw error;
      return null; // it cannot have ended well before all was read
    }
    const err = wasm._qmsp_peek(this.#st, out, out + 4);
    if (err === Err.AGAIN) return undefined;
    this.#core.check(err);
    const [at, len] = [this.#core.u32(out), this.#core.u32(out + 4)];
    if (len === 0) return null;
    const bytes = wasm.HEAPU8.slice(at, at + len);
    this.#core.check(wasm._qms_stream_consume(this.#st, len));
    return bytes;
  }
  #takeFrame() {
    const frame = this.#frames.shift();
    if (this.#framesPaused && this.#frames.length === 0 && this.#st) {
      this.#framesPaused = false;
      this.#core.check(this.#core.wasm._qms_stream_pause_messages(this.#st, 0));
    }
    return frame ?? (this.#framesOver ? this.#take() : undefined);
  }
  #onFrame(message) {
    this.#frames.push(message.slice());
    if (this.#frames.length >= FRAMES_AHEAD && !this.#framesPaused) {
      this.#framesPaused = true;
      this.#core.check(this.#core.wasm._qms_stream_pause_messages(this.#st, 1));
    }
    this.#wakeRead?.();
  }
  /** Ends the receiving direction: the other side is told `code`. */
  stop(code = 0x12) {
    this.#core.wasm._qms_stream_stop(this.#handle(), code);
    this.#fail(this.#readControl, this.#core.error(4));
  }

  // ---- sending ----

  #makeWritable() {
    return new WritableStream({
      start: (c) => { this.#writeControl = c; },
      write: (chunk) => (this.framed ? this.#writeFrame(bytesOf(chunk)) : this.#write(bytesOf(chunk))),
      close: () => this.#finish(),
      abort: (reason) => { if (this.#st) this.#core.wasm._qms_stream_reset(this.#st, codeOf(reason)); },
    });
  }
  #acceptFirst() {
    if (!this.#opener && !this.#answered && !this.#noResult) this.accept();
  }
  async #room() {
    await new Promise((resolve) => { this.#wakeWrite = resolve; });
  }
  async #write(bytes) {
    const {wasm} = this.#core;
    this.#acceptFirst();
    for (let at = 0; at < bytes.length;) {
      const [from, len] = this.#core.stage(bytes.subarray(at));
      const taken = this.#core.lend((put) => {
        const count = put(new Uint8Array(4));
        const err = wasm._qmsp_write(this.#handle(), from, len, count);
        if (err !== Err.OK && err !== Err.AGAIN) throw this.#core.error(err);
        return this.#core.u32(count);
      });
      at += taken;
      if (taken < len) await this.#room();
    }
  }
  async #writeFrame(bytes) {
    this.#acceptFirst();
    for (;;) {
      const err = this.#core.lend((put) => this.#core.wasm._qmsp_send_frame(this.#handle(), put(bytes), bytes.length));
      if (err !== Err.AGAIN) {
        this.#core.check(err);
        return;
      }
      await this.#room();
    }
  }
  async #finish() {
    this.#acceptFirst();
    this.#core.check(this.#core.wasm._qms_stream_finish(this.#handle()));
    if (!this.bidirectional) await this.closed; // a refusal may come late
  }
  /** Ends the sending direction at once: what has not arrived is dropped. */
  reset(code = 0x12) {
    this.#core.wasm._qms_stream_reset(this.#handle(), code);
    this.#fail(this.#writeControl, this.#core.error(4));
  }

  // ---- events ----

  #fail(controller, error) {
    try {
      controller?.error(error);
    } catch {
      // It had ended already.
    }
  }
  onEvent(what, err, _, __, bytes) {
    switch (what) {
      case Event.RESULT: this.#onResult(err); break;
      case Event.READABLE: this.#onReadable(); break;
      case Event.WRITABLE: this.#wakeWrite?.(); break;
      case Event.STOPPED: this.#stopped(this.#core.error(err)); break;
      case Event.FRAME: this.#onFrame(bytes); break;
      case Event.SKIPPED: this.dispatchEvent(new CustomEvent('skipped', {detail: {messages: err}})); break;
      case Event.ENDED: this.#onEnded(err); break;
      default:
    }
  }
  /** A reset that comes before the answer leaves none to wait for. */
  #onReadable() {
    this.#framesOver = true; // while messages come this is not told
    const {wasm, out} = this.#core;
    const err = wasm._qmsp_peek(this.#st, out, out + 4);
    if (err !== Err.OK && err !== Err.AGAIN) {
      this.#readError = this.#core.error(err);
      this.#answer.reject(this.#readError);
    }
    this.#wakeRead?.();
  }
  #stopped(error) {
    this.#fail(this.#writeControl, error);
    this.#wakeWrite?.();
  }
  #onResult(err) {
    if (err === Err.OK) {
      this.#answer.resolve({meta: this.#bytes('resultMeta'), acceptor: this.#text('acceptor')});
      return;
    }
    const error = this.#core.error(err, this.#text('reason'));
    const retry = this.#numbers()[7];
    if (retry > 0) error.retryAfter = retry;
    this.#answer.reject(error);
    this.#stopped(error);
    this.#fail(this.#readControl, error);
    this.#wakeRead?.();
  }
  #onEnded(err) {
    const {wasm} = this.#core;
    this.stats();
    void [this.id, this.priority]; // kept for later
    wasm._qms_stream_release(this.#st);
    this.#core.unbind(this.#st);
    this.#st = 0;
    const error = err === Err.OK ? undefined : this.#core.error(err);
    this.#error = error;
    if (error) {
      this.#answer.reject(error);
      this.#fate.reject(error);
      this.#stopped(error);
    } else {
      this.#answer.resolve({meta: new Uint8Array(0), acceptor: ''});
      this.#fate.resolve();
    }
    this.#wakeRead?.();
  }
}
