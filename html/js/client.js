// SPDX-License-Identifier: MIT
// The one door through which the pages reach the client library.
import {Agent, errorCode, readAll, writeAll} from './agent.js';
import {certificateHashes} from './broker.js';
import {codeName, Kind} from './wire.js';

export {readAll, writeAll};
export const hasWebTransport = () => typeof WebTransport === 'function';

const KINDS = {agent: Kind.AGENT, service: Kind.SERVICE};

/** "agent:bob", "service:echo" as the client library's arguments. */
function parse(target) {
  const colon = target.indexOf(':');
  return {kind: KINDS[target.slice(0, colon)], name: target.slice(colon + 1)};
}

/** A failure as a sentence without its end: what was said, and the code of the protocol. */
export function describe(error) {
  const code = errorCode(error);
  if (code === undefined) return String(error?.message || error);
  const name = codeName(code);
  return error.message && error.message !== name ? `${error.message.replace(/\.$/, '')} (${name}, code ${code})`
    : `${name} (code ${code})`;
}

/** One connection of this page to the broker. */
class Connection {
  constructor(agent) {
    this.agent = agent;
    this.id = agent.id;
    /** Resolves with a sentence when the connection is over, and never rejects. */
    this.closed = agent.closed.then(
      ({closeCode, reason}) => reason || codeName(closeCode),
      (error) => describe(error),
    );
  }
  /** {readable, writable} of a stream both ways; `readable` fails when the target refuses. */
  async openStream(target, {priority, meta} = {}) {
    const {kind, name} = parse(target);
    return this.agent.openStream(name, {kind, priority, meta});
  }
  /** WritableStream of a stream one way. */
  async openOneWay(target, {priority, meta} = {}) {
    const {kind, name} = parse(target);
    return this.agent.openUnidirectional(name, {kind, priority, meta});
  }
  /** Sends bytes on a stream of their own and returns the whole answer. */
  request(target, bytes, {priority} = {}) {
    const {kind, name} = parse(target);
    return this.agent.request(name, bytes, {kind, priority});
  }
  sendDatagram(target, bytes) {
    const {kind, name} = parse(target);
    return this.agent.sendDatagram(name, bytes, {kind});
  }
  /** Round trip to the broker in milliseconds. */
  ping() {
    return this.agent.ping();
  }
  /** The connection as the broker sees it: {rttSmoothed (microseconds), bytesSent, ...}. */
  stats() {
    return this.agent.stats();
  }
  close() {
    this.agent.close(0, 'bye');
    return this.closed;
  }
}

/**
 * Connects this page as an agent; knows the broker's certificate by its hash where it has to.
 * `onStream` gets {source, priority, meta, readable, accept(), reject()}, `onDatagram` source and bytes.
 */
export async function connect(url, {id, token, onStream, onDatagram} = {}) {
  const serverCertificateHashes = await certificateHashes(url).catch(() => undefined);
  return new Connection(await Agent.connect(url, {id, token: token || undefined, serverCertificateHashes,
    onStream, onDatagram}));
}
