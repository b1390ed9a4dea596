// SPDX-License-Identifier: MIT
// Codecs of the quicms wire protocol (doc/wire.md): bytes in, bytes out, no I/O.

export const VERSION = 1;
export const StreamType = {CONTROL: 0x01, ROUTE: 0x02};
export const Kind = {SELF: 0, AGENT: 1, GROUP: 2, TOPIC: 3, SERVICE: 4};
export const Priority = {BACKGROUND: 0, LOW: 64, NORMAL: 128, HIGH: 192, CRITICAL: 255};
export const Message = {
  HELLO: 0x01, WELCOME: 0x03, REFUSED: 0x05, GOAWAY: 0x07, PRIORITY: 0x13, DGRAM_BIND: 0x15,
  DGRAM_UNBIND: 0x17, STREAM_STATUS: 0x19, PING: 0x1d, PONG: 0x1f, THROTTLED: 0x20,
  STATS_REQUEST: 0x21, STATS: 0x22,
};
const CODE_NAMES = [
  'ok', 'internal', 'protocol', 'unsupported', 'unauthenticated', 'forbidden', 'not_found',
  'offline', 'rejected', 'busy', 'rate_limited', 'too_large', 'timeout', 'peer_gone',
  'worker_lost', 'node_lost', 'going_away', 'loop', 'cancelled', 'slow_consumer', 'expired',
  'replaced', 'too_early',
];

/** One-word name of a code of doc/wire.md section 7. */
export function codeName(code) {
  return CODE_NAMES[code] ?? (code >= 0x80 && code <= 0xff ? 'application' : 'unknown');
}

/** What the broker or the other agent answered, or what was wrong with the input. */
export class QuicmsError extends Error {
  constructor(message, code) {
    super(message);
    this.name = 'QuicmsError';
    this.code = code;
    this.codeName = codeName(code);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', {fatal: true});
export const utf8 = (text) => encoder.encode(text);
export const text = (bytes) => decoder.decode(bytes);

/** RFC 9000 section 16, shortest form, of a number below 2^53. */
export function varint(value) {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`not a variable-length integer: ${value}`);
  }
  if (value < 0x40) return Uint8Array.of(value);
  if (value < 0x4000) return Uint8Array.of(0x40 | (value >> 8), value & 0xff);
  const out = new Uint8Array(value < 0x40000000 ? 4 : 8);
  const view = new DataView(out.buffer);
  if (out.length === 4) view.setUint32(0, value | 0x80000000);
  else view.setBigUint64(0, BigInt(value) | (3n << 62n));
  return out;
}

export function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Reads fields from the front of a byte array; throws QuicmsError (PROTOCOL) when it ends. */
export class Cursor {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }
  get left() {
    return this.bytes.length - this.at;
  }
  u8() {
    return this.take(1)[0];
  }
  take(length) {
    if (this.left < length) throw new QuicmsError('a field overruns its message', 0x02);
    const out = this.bytes.subarray(this.at, this.at + length);
    this.at += length;
    return out;
  }
  varint() {
    if (this.left < 1) throw new QuicmsError('a field overruns its message', 0x02);
    const size = 1 << (this.bytes[this.at] >> 6);
    return decodeVarint(this.take(size));
  }
  name() {
    return text(this.take(this.varint()));
  }
  /** All TLVs to the end, as a Map from type to bytes. */
  tlvs() {
    const out = new Map();
    let last = -1;
    while (this.left > 0) {
      const type = this.varint();
      if (type <= last) throw new QuicmsError('TLV types must ascend', 0x02);
      last = type;
      out.set(type, this.take(this.varint()));
    }
    return out;
  }
}

export function decodeVarint(bytes) {
  let value = BigInt(bytes[0] & 0x3f);
  for (let i = 1; i < bytes.length; i++) value = (value << 8n) | BigInt(bytes[i]);
  return Number(value);
}

export const tlv = (type, value) => concat(varint(type), varint(value.length), value);
const named = (name) => concat(varint(utf8(name).length), utf8(name));
const control = (type, ...fields) => {
  const body = concat(...fields);
  return concat(varint(type), varint(body.length), body);
};

export const hello = ({id = '', token, software}) =>
  control(Message.HELLO, varint(VERSION), varint(VERSION), named(id), varint(0),
    software ? tlv(0x02, utf8(software)) : new Uint8Array(0),
    token ? tlv(0x03, concat(varint(1), utf8(token))) : new Uint8Array(0));
export const ping = (bytes) => control(Message.PING, bytes);
export const statsRequest = (request) => control(Message.STATS_REQUEST, varint(request), varint(0));
export const pong = (bytes) => control(Message.PONG, bytes);
export const priority = (handle, {forward, reverse, opener = 0}) =>
  control(Message.PRIORITY, varint(handle), Uint8Array.of(opener,
    (forward === undefined ? 0 : 1) | (reverse === undefined ? 0 : 2), forward ?? 0, reverse ?? 0));

const STATS_FIELDS = ['rttSmoothed', 'rttLatest', 'rttMin', 'congestionWindow', 'bytesInFlight', 'packetsSent',
  'packetsReceived', 'packetsLost', 'bytesSent', 'bytesReceived', 'streamsOpen', 'streamsClosed', 'datagramsSent',
  'datagramsReceived', 'datagramsDropped'];

/** Counters of a STATS message behind its request number; round-trip times in microseconds. */
export function decodeStats(cursor) {
  const tlvs = cursor.tlvs();
  return Object.fromEntries(STATS_FIELDS.map((name, i) => {
    const bytes = tlvs.get(2 * i + 2);
    return [name, bytes ? decodeVarint(bytes) : 0];
  }));
}

/** ROUTE header with its stream type. */
export function route({kind, target, priority: urgency, handle, flags = 0, meta}) {
  const body = concat(Uint8Array.of(flags, urgency), varint(kind), varint(handle), named(target),
    meta ? tlv(0x08, meta) : new Uint8Array(0));
  return concat(varint(StreamType.ROUTE), varint(body.length), body);
}

/** Fields behind stream type and length. */
export function decodeRoute(body) {
  const c = new Cursor(body);
  const flags = c.u8();
  const urgency = c.u8();
  const kind = c.varint();
  const handle = c.varint();
  const target = c.name();
  const tlvs = c.tlvs();
  return {flags, priority: urgency, kind, handle, target,
    source: tlvs.has(0x01) ? text(tlvs.get(0x01)) : '', meta: tlvs.get(0x08)};
}

export function result(status, reason) {
  const body = concat(varint(status), reason ? tlv(0x02, utf8(reason)) : new Uint8Array(0));
  return concat(varint(body.length), body);
}
export function decodeResult(body) {
  const c = new Cursor(body);
  const status = c.varint();
  const tlvs = c.tlvs();
  return {status, reason: tlvs.has(0x02) ? text(tlvs.get(0x02)) : '',
    acceptor: tlvs.has(0x0a) ? text(tlvs.get(0x0a)) : ''};
}

/** A datagram that names its target (or, from the broker, its source) in place. */
export const datagram = (kind, name, payload) => concat(varint(0), varint(kind), named(name), payload);
