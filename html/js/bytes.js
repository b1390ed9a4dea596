// SPDX-License-Identifier: MIT
// Whole contents of streams, in and out.
const PIECE = 65536;

/** All of a stream as a Blob; stops it beyond `max` bytes.  `onBytes` gets the number so far. */
export async function readBlob(readable, max, onBytes = () => {}) {
  const chunks = [];
  const reader = readable.getReader();
  for (let length = 0; ;) {
    const {value, done} = await reader.read();
    if (done) return new Blob(chunks);
    chunks.push(value);
    length += value.length;
    if (length > max) {
      await reader.cancel();
      throw new Error(`more than ${max} bytes`);
    }
    onBytes(length);
  }
}

/** Writes all of a Blob in pieces, and the end; never more than a piece is on its way to the client. */
export async function writeBlob(writable, blob) {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  for (let at = 0; at < blob.size; at += PIECE) {
    const piece = await blob.slice(at, at + PIECE).arrayBuffer();
    await writer.ready;
    await writer.write(new Uint8Array(piece));
  }
  await writer.close();
}

/** Writes all of an array that is in memory, and the end: the client always has something to choose from. */
export async function writeBytes(writable, bytes) {
  const writer = writable.getWriter();
  writer.closed.catch(() => {});
  await writer.write(bytes);
  await writer.close();
}
