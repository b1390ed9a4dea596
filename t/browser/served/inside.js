// SPDX-License-Identifier: MIT
// What the tests run in pages and workers: the package, and helpers around it.
import {load} from '/js/quicms/core.js';

export * from '/js/quicms/index.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', {fatal: true});
export const utf8 = (text) => encoder.encode(text);
export const text = (bytes) => decoder.decode(bytes);
export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

export async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Repeatable bytes: a 32-bit xorshift from a seed. */
export function noise(length, seed) {
  const words = new Uint32Array(Math.ceil(length / 4));
  let x = seed;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13; x ^= x >>> 17; x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** All bytes of a stream; rejects with the stream's own error, which `new Response()` hides. */
export async function readAll(readable) {
  const chunks = [];
  const reader = readable.getReader();
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
  }
}

export async function writeAll(writable, bytes) {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  for (let at = 0; at < bytes.length; at += 65536) await writer.write(bytes.subarray(at, at + 65536));
  await writer.close();
}

/** As agent.request(), for answers of any size. */
export async function exchange(agent, target, bytes, options) {
  const stream = agent.openStream(target, options);
  writeAll(stream.writable, bytes).catch(() => {}); // its failure shows on the way back
  await stream.result;
  return readAll(stream.readable);
}

/** The code a promise rejects with, the error's name where it has none, or 'fine'. */
export const codeOf = (promise) => promise.then(() => 'fine', (e) => e.code ?? e.name);

/** {name, code, by, message} of what a promise rejects with, or 'fine'. */
export const errorOf = (promise) => Promise.resolve(promise).then(() => 'fine',
  ({name, code, by, message}) => ({name, code, by, message}));

export const next = async (arrivals) => (await arrivals.next()).value;

/** Takes the next stream and sends what it carries back. */
export async function serveEcho(agent) {
  const stream = await next(agent.incomingStreams);
  await stream.readable.pipeTo(stream.writable);
  return stream;
}

/** Bytes of the compiled client's memory. */
export const heapSize = async () => (await load()).wasm.HEAPU8.length;
/** Makes it grow. */
export async function growHeap(bytes) {
  const {wasm} = await load();
  const at = wasm._malloc(bytes);
  wasm._free(at);
}
