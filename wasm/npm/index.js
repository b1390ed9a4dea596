// SPDX-License-Identifier: MIT
// @quicms/client: agents of the quicms broker in pages and workers.
import {connect as connectAgent} from './agent.js';
import {QuicmsError} from './errors.js';

export {QuicmsError};

/** Named urgencies; any integer from 0 to 255 is one. */
export const Priority = Object.freeze({BACKGROUND: 0, LOW: 64, NORMAL: 128, HIGH: 192, CRITICAL: 255});

/**
 * Connects to a broker as an agent.  Resolves when the broker has welcomed it; rejects with
 * QuicmsError, or with the signal's reason.
 */
export async function connect(url, options = {}) {
  if (typeof WebTransport === 'undefined') {
    throw new QuicmsError(typeof process === 'undefined'
      ? 'WebTransport is not there: this browser has none, or the page is not a secure context (https, or localhost)'
      : 'WebTransport is not there: @quicms/client runs in pages and workers of browsers; in Node.js there is none, '
        + 'and native agents use libquicms-client', {name: 'unsupported_here', by: 'program'});
  }
  return connectAgent(String(url), options);
}
