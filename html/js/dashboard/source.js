// SPDX-License-Identifier: MIT
// Where the figures come from: a request to the service `stats` while the page is an agent and the
// broker has that service, else a GET of /api/v1/stats.  Says when the broker stops to answer and
// when it is back.
import {sleep} from '../dom.js';
import {Snapshot} from './snapshot.js';

const EVERY = 1000;
const SLOWEST = 5000; // between two tries while the broker does not answer
const PATIENCE = 5000; // for one answer

/** A JSON answer of the HTTP endpoint; fails with a sentence without its end. */
export async function getJson(path) {
  let answer;
  try {
    answer = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE)});
  } catch (error) {
    throw new Error(error.name === 'TimeoutError' ? `no answer within ${PATIENCE / 1000} s` : 'nobody answers', {cause: error});
  }
  if (!answer.ok) throw new Error(`the broker answered ${answer.status} to ${path}`);
  return answer.json();
}

const within = (promise, ms) => Promise.race([promise,
  sleep(ms).then(() => { throw new Error(`no answer within ${ms / 1000} s`); })]);

export class Source {
  #connection; // of this page as an agent, while there is one
  #hasService = true; // until the broker says otherwise

  /** `onSnapshot(snapshot, how)`: how is "webtransport" or "polling"; `onDown(sentence, since)`. */
  constructor(onSnapshot, onDown) {
    this.onSnapshot = onSnapshot;
    this.onDown = onDown;
  }

  /** From now on through this connection; undefined: by polling. */
  use(connection) {
    this.#connection = connection;
    this.#hasService = true;
  }

  async #overWebTransport() {
    const connection = this.#connection;
    if (!connection || !this.#hasService) return undefined;
    try {
      const bytes = await within(connection.request('service:stats', new Uint8Array(0)), PATIENCE);
      const answer = JSON.parse(new TextDecoder().decode(bytes));
      if (!answer.counters || !answer.workers) throw new Error('the service of another version');
      return answer;
    } catch {
      if (connection === this.#connection) this.#hasService = false; // not there, or not for us
      return undefined;
    }
  }

  async #once() {
    const streamed = await this.#overWebTransport();
    this.onSnapshot(streamed ? new Snapshot(streamed, 1) : new Snapshot(await getJson('/api/v1/stats')),
      streamed ? 'webtransport' : 'polling');
  }

  async run() {
    let since;
    for (let pause = EVERY; ;) {
      const from = performance.now();
      try {
        await this.#once();
        since = undefined;
        pause = EVERY;
      } catch (error) {
        since ??= Date.now();
        this.onDown(error.message, since);
        pause = Math.min(SLOWEST, pause * 1.5);
      }
      await sleep(Math.max(200, pause - (performance.now() - from)));
    }
  }
}
