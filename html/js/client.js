// SPDX-License-Identifier: MIT
// The one door through which the pages reach the client library, the npm package @quicms/client.
// A build without Emscripten has none; the pages then say so and do what they can without.
import {certificateHashes} from './broker.js';

/** Loads it once; rejects where it is not there. */
let loading;
const load = () => { loading ??= import('./quicms/index.js'); return loading; };

/** Why this page cannot be an agent, as a sentence; undefined when it can. */
export async function obstacle() {
  if (typeof WebTransport !== 'function') {
    return window.isSecureContext ? 'This browser has no WebTransport.'
      : 'Browsers give WebTransport only to pages that come by https or from this machine.';
  }
  return load().then(() => undefined, () => 'This build of the pages was made without Emscripten, and lacks the browser client (remedy: scripts/install-deps wasm, then build anew).');
}

/** A failure as a sentence without its end: what was said, and its name. */
export function describe(error) {
  const words = String(error?.message || error).replace(/\.$/, '');
  return error?.by && error.name !== 'Error' ? `${words} (${error.name})` : words;
}

/** Whether a connection was refused for a reason that trying again does not mend. */
export const isRefusal = (error) => ['unauthenticated', 'forbidden', 'expired', 'replaced'].includes(error?.name);

const withoutEnd = (arrivals, take) => (async () => {
  for await (const one of arrivals) take(one);
})().catch(() => {}); // the connection is over; `closed` tells why

/**
 * Connects this page as an agent; the broker's certificate is known by its hash where it has to be.
 * `onStream` and `onDatagram` get what arrives, as the package has it.  A lost connection is not
 * dialled again.  The agent's `over` resolves with a sentence when it is closed, and never rejects.
 */
export async function connect(url, {id, token, onStream, onDatagram} = {}) {
  const serverCertificateHashes = await certificateHashes(url).catch(() => undefined);
  const agent = await (await load()).connect(url, {id, token: token || undefined, reconnect: false,
    ...(serverCertificateHashes && {serverCertificateHashes})});
  if (onStream) withoutEnd(agent.incomingStreams, onStream);
  if (onDatagram) withoutEnd(agent.incomingDatagrams, onDatagram);
  // A tab that is closed says so, rather than leave its agent to the idle timeout.
  const gone = new AbortController();
  window.addEventListener('pagehide', () => { agent.close().catch(() => {}); }, {signal: gone.signal});
  agent.over = agent.closed.then(({closeCode, reason}) => reason || `code ${closeCode}`, describe)
    .finally(() => gone.abort());
  return agent;
}
