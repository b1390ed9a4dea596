// SPDX-License-Identifier: MIT
// A browser agent: the quicms protocol spoken directly over the browser's WebTransport.
import * as wire from './wire.js';

const {Kind, Message, QuicmsError} = wire;
const WRITE_PIECE = 65536;
const TOO_LARGE = 0x0b;

/** Pulls exact byte counts out of a ReadableStream and hands the rest on. */
class StreamReader {
  constructor(readable) {
    this.reader = readable.getReader();
    this.buffer = new Uint8Array(0);
  }
  async fill(length) {
    while (this.buffer.length < length) {
      const {value, done} = await this.reader.read();
      if (done) return false;
      this.buffer = this.buffer.length ? wire.concat(this.buffer, value) : value;
    }
    return true;
  }
  async take(length) {
    if (!await this.fill(length)) throw new QuicmsError('the stream ended inside a field', 0x02);
    const out = this.buffer.subarray(0, length);
    this.buffer = this.buffer.subarray(length);
    return out;
  }
  async varint() {
    if (!await this.fill(1)) return undefined;
    return wire.decodeVarint(await this.take(1 << (this.buffer[0] >> 6)));
  }
  /** What follows, as a ReadableStream of its own. */
  rest() {
    const {reader} = this;
    let {buffer} = this;
    return new ReadableStream({
      async pull(controller) {
        if (buffer.length > 0) {
          controller.enqueue(buffer);
          buffer = new Uint8Array(0);
          return;
        }
        const {value, done} = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel(reason) {
        return reader.cancel(reason);
      },
    }, {highWaterMark: 0});
  }
}

/**
 * Code of the wire protocol that a stream was refused, reset or stopped with; undefined when there
 * is none, as when the connection broke.
 */
export function errorCode(error) {
  return error?.streamErrorCode ?? (error instanceof QuicmsError ? error.code : undefined);
}

/**
 * All bytes of a stream, which is stopped and rejected beyond `max`.  Rejects with the stream's
 * own error, which `new Response()` hides.
 */
export async function readAll(readable, max = Infinity) {
  const chunks = [];
  const reader = readable.getReader();
  for (let length = 0; ;) {
    const {value, done} = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
    length += value.length;
    if (length > max) {
      await reader.cancel(streamError(TOO_LARGE));
      throw new QuicmsError(`more than ${max} bytes`, TOO_LARGE);
    }
  }
}

/** Writes all of `bytes` in pieces, so that none of them is queued twice, and the end. */
export async function writeAll(writable, bytes) {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  for (let at = 0; at < bytes.length; at += WRITE_PIECE) {
    await writer.ready;
    await writer.write(bytes.subarray(at, at + WRITE_PIECE));
  }
  await writer.close();
}

/** An error for abort() and cancel() that carries a code to the other side. */
export function streamError(code) {
  return new WebTransportError({message: wire.codeName(code), streamErrorCode: code});
}

/** A stream that another agent opened to this one. */
class IncomingStream {
  constructor(agent, header, readable, writable) {
    Object.assign(this, {agent, source: header.source, handle: header.handle,
      priority: header.priority, meta: header.meta, readable, bidirectional: Boolean(writable)});
    this.rawWritable = writable;
    this.noResult = Boolean(header.flags & 2);
  }
  /** Sends RESULT and returns the writable side; undefined on a unidirectional stream. */
  async accept() {
    if (!this.rawWritable) return undefined;
    if (!this.noResult) {
      const writer = this.rawWritable.getWriter();
      await writer.write(wire.result(0));
      writer.releaseLock();
    }
    return this.rawWritable;
  }
  async reject(code, reason) {
    if (this.rawWritable && !this.noResult) {
      const writer = this.rawWritable.getWriter();
      await writer.write(wire.result(code, reason));
      await writer.close();
    }
    await this.readable.cancel(streamError(code));
  }
}

export class Agent {
  #control;
  #contexts = new Map();
  #nextHandle = 0;
  #pings = [];
  #stats = [];
  #datagramMax = 0;

  /**
   * Connects and says HELLO.
   * @param {string} url  https://HOST:PORT/PATH
   * @param {{id?: string, token?: string, serverCertificateHashes?: object[],
   *          onStream?: (stream: IncomingStream) => void,
   *          onDatagram?: (source: string, payload: Uint8Array, kind: number) => void,
   *          onGoaway?: (status: number, deadlineMs: number) => void,
   *          onThrottled?: (what: number, retryAfterMs: number) => void}} options
   *   serverCertificateHashes: only for a certificate that the browser does not trust by itself;
   *   see certificateHashes() of broker.js
   * @returns {Promise<Agent>}  rejects with QuicmsError when the broker refuses
   */
  static async connect(url, options = {}) {
    const agent = new Agent();
    agent.options = options;
    agent.transport = new WebTransport(url, options.serverCertificateHashes
      ? {serverCertificateHashes: options.serverCertificateHashes} : {});
    agent.closed = agent.transport.closed;
    agent.closed.catch(() => {});
    await agent.transport.ready;
    await agent.#sayHello();
    agent.#serve(agent.transport.incomingBidirectionalStreams, (s) => [s.readable, s.writable]);
    agent.#serve(agent.transport.incomingUnidirectionalStreams, (s) => [s, undefined]);
    agent.#readDatagrams();
    return agent;
  }

  async #sayHello() {
    const stream = await this.transport.createBidirectionalStream();
    this.#control = stream.writable.getWriter();
    this.#control.closed.catch(() => {});
    await this.#control.write(wire.concat(wire.varint(wire.StreamType.CONTROL),
      wire.hello({id: this.options.id, token: this.options.token, software: 'quicms-page'})));
    const reader = new StreamReader(stream.readable);
    const type = await reader.varint();
    const c = new wire.Cursor(await reader.take(await reader.varint()));
    if (type === Message.REFUSED) {
      const status = c.varint();
      c.varint();
      throw new QuicmsError(c.name() || wire.codeName(status), status);
    }
    if (type !== Message.WELCOME) throw new QuicmsError('no WELCOME came', 0x02);
    c.varint();
    this.sessionId = c.take(16).slice();
    this.id = c.name();
    c.varint(); // longest header
    this.#datagramMax = c.varint();
    this.#readControl(reader).catch(() => {});
  }

  async #readControl(reader) {
    for (;;) {
      const type = await reader.varint();
      if (type === undefined) return;
      const body = (await reader.take(await reader.varint())).slice();
      const c = new wire.Cursor(body);
      if (type === Message.PING) {
        await this.#control.write(wire.pong(body));
      } else if (type === Message.PONG) {
        this.#pings.shift()?.();
      } else if (type === Message.STATS) {
        c.varint();
        this.#stats.shift()?.(wire.decodeStats(c));
      } else if (type === Message.DGRAM_BIND) {
        this.#contexts.set(c.varint(), {kind: c.varint(), name: c.name()});
      } else if (type === Message.DGRAM_UNBIND) {
        this.#contexts.delete(c.varint());
      } else if (type === Message.GOAWAY) {
        this.options.onGoaway?.(c.varint(), c.varint());
      } else if (type === Message.THROTTLED) {
        this.options.onThrottled?.(c.varint(), c.varint());
      }
    }
  }

  async #serve(streams, sides) {
    const reader = streams.getReader();
    try {
      for (;;) {
        const {value, done} = await reader.read();
        if (done) return;
        this.#accept(...sides(value)).catch(() => {});
      }
    } catch {
      // The session is over; `closed` tells why.
    }
  }

  async #accept(readable, writable) {
    const reader = new StreamReader(readable);
    if (await reader.varint() !== wire.StreamType.ROUTE) {
      await Promise.allSettled([reader.reader.cancel(streamError(0x03)),
        writable?.abort(streamError(0x03))]);
      return;
    }
    const header = wire.decodeRoute((await reader.take(await reader.varint())).slice());
    const stream = new IncomingStream(this, header, reader.rest(), writable);
    if (this.options.onStream) this.options.onStream(stream);
    else await stream.reject(0x08, 'this page takes no streams');
  }

  async #readDatagrams() {
    const reader = this.transport.datagrams.readable.getReader();
    try {
      for (;;) {
        const {value, done} = await reader.read();
        if (done) return;
        const c = new wire.Cursor(value);
        const context = c.varint();
        const source = context === 0 ? {kind: c.varint(), name: c.name()}
          : this.#contexts.get(context);
        if (source !== undefined) {
          this.options.onDatagram?.(source.name, c.take(c.left), source.kind);
        }
      }
    } catch {
      // The session is over; `closed` tells why.
    }
  }

  #header(target, {kind = Kind.AGENT, priority = wire.Priority.NORMAL, meta} = {}) {
    return wire.route({kind, target, priority, handle: this.#nextHandle++, meta});
  }

  /**
   * Opens a bidirectional stream.  `result` resolves when the target accepted and rejects with
   * QuicmsError when it refused; `readable` carries what comes behind the RESULT.
   */
  async openStream(target, options) {
    const header = this.#header(target, options);
    const handle = this.#nextHandle - 1;
    const stream = await this.transport.createBidirectionalStream();
    const writer = stream.writable.getWriter();
    await writer.write(header);
    writer.releaseLock();
    const reader = new StreamReader(stream.readable);
    const result = (async () => {
      const length = await reader.varint();
      const answer = wire.decodeResult(await reader.take(length));
      if (answer.status !== 0) {
        throw new QuicmsError(answer.reason || wire.codeName(answer.status), answer.status);
      }
      return answer;
    })();
    result.catch(() => {});
    let rest;
    const readable = new ReadableStream({
      async start() {
        await result;
        rest = reader.rest().getReader();
      },
      async pull(controller) {
        const {value, done} = await rest.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.reader.cancel(reason),
    }, {highWaterMark: 0});
    return {handle, writable: stream.writable, readable, result};
  }

  /** Opens a unidirectional stream and returns its WritableStream. */
  async openUnidirectional(target, options) {
    const header = this.#header(target, options);
    const writable = await this.transport.createUnidirectionalStream();
    const writer = writable.getWriter();
    await writer.write(header);
    writer.releaseLock();
    return writable;
  }

  /** Sends bytes on a stream of their own and returns the whole answer. */
  async request(target, bytes, options) {
    const stream = await this.openStream(target, options);
    writeAll(stream.writable, bytes).catch(() => {}); // its failure shows on the way back
    await stream.result;
    return readAll(stream.readable);
  }

  async setPriority(handle, priorities) {
    await this.#control.write(wire.priority(handle, priorities));
  }

  /** Largest payload of a datagram to `target` now. */
  datagramMax(target, {kind = Kind.AGENT} = {}) {
    const most = Math.min(this.transport.datagrams.maxDatagramSize, this.#datagramMax);
    return Math.max(0, most - wire.datagram(kind, target, new Uint8Array(0)).length);
  }

  /** Rejects when the payload is over datagramMax(); otherwise it may still be lost. */
  async sendDatagram(target, payload, {kind = Kind.AGENT} = {}) {
    const max = this.datagramMax(target, {kind});
    if (payload.length > max) throw new QuicmsError(`a datagram here holds ${max} bytes`, TOO_LARGE);
    this.datagramWriter ??= this.transport.datagrams.writable.getWriter();
    await this.datagramWriter.write(wire.datagram(kind, target, payload));
  }

  /** Round trip to the broker over the CONTROL stream, in milliseconds. */
  async ping() {
    const from = performance.now();
    const answered = new Promise((resolve) => this.#pings.push(resolve));
    await this.#control.write(wire.ping(crypto.getRandomValues(new Uint8Array(8))));
    await answered;
    return performance.now() - from;
  }

  /** The connection as the broker sees it: see decodeStats() of wire.js. */
  async stats() {
    const answered = new Promise((resolve) => this.#stats.push(resolve));
    await this.#control.write(wire.statsRequest(1));
    return answered;
  }

  close(code = 0, reason = '') {
    this.transport.close({closeCode: code, reason});
    return this.closed;
  }
}
