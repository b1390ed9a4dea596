// SPDX-License-Identifier: MIT
// What the broker did since the page was opened: one row a snapshot, rates from the differences.
import {PRIORITIES} from '../priorities.js';
import {between} from './snapshot.js';

const ROWS = 3700; // an hour of seconds, and some

/** Where something can be turned away, and the counters of it by reason. */
export const REFUSALS = {
  handshake: 'quicms_handshakes_failed_total',
  connection: 'quicms_connections_refused_total',
  credential: 'quicms_auth_failures_total',
  session: 'quicms_webtransport_refused_total',
  stream: 'quicms_stream_refusals_total',
};

const GAUGES = {
  agents: (s) => s.value('quicms_agents'),
  quic: (s) => s.value('quicms_connections', {carrier: 'quic'}),
  webtransport: (s) => s.value('quicms_connections', {carrier: 'webtransport'}),
  streams: (s) => Math.max(0, s.value('quicms_streams') - s.ownStreams),
  buffered: (s) => s.value('quicms_buffer_bytes'),
};
const COUNTERS = {
  in: (s) => s.value('quicms_stream_bytes_total', {direction: 'in'})
    + s.value('quicms_datagram_bytes_total', {direction: 'in'}),
  out: (s) => s.value('quicms_stream_bytes_total', {direction: 'out'})
    + s.value('quicms_datagram_bytes_total', {direction: 'out'}),
  opened: (s) => s.value('quicms_priority_streams_total'),
  datagramsIn: (s) => s.value('quicms_datagrams_total', {direction: 'in'}),
  datagramsOut: (s) => s.value('quicms_datagrams_total', {direction: 'out'}),
  datagramsDropped: (s) => s.value('quicms_datagrams_dropped_total'),
};
for (const p of Object.keys(PRIORITIES)) COUNTERS[p] = (s) => s.value('quicms_priority_bytes_total', {priority: p});
for (const [what, name] of Object.entries(REFUSALS)) COUNTERS[`refused:${what}`] = (s) => s.value(name);

export class History {
  constructor() {
    this.time = [];
    this.columns = Object.fromEntries([...Object.keys(GAUGES), ...Object.keys(COUNTERS)].map((k) => [k, []]));
    this.snapshots = []; // of each row; undefined where the broker did not answer
  }

  /** The newest answer, however long ago. */
  get last() {
    return this.snapshots.findLast(Boolean);
  }

  #add(time, snapshot, valueOf) {
    this.time.push(time);
    this.snapshots.push(snapshot);
    for (const [key, column] of Object.entries(this.columns)) column.push(valueOf(key));
    if (this.time.length > ROWS) {
      for (const column of [this.time, this.snapshots, ...Object.values(this.columns)]) column.splice(0, 100);
    }
  }

  /** `time` in seconds of the page's own clock. */
  add(snapshot, time) {
    const before = this.last;
    const seconds = before && snapshot.startedAt === before.startedAt ? snapshot.time - before.time : 0;
    if (before && seconds === 0 && snapshot.time === before.time) return;
    this.#add(time, snapshot, (key) => {
      if (key in GAUGES) return GAUGES[key](snapshot);
      if (seconds <= 0) return null;
      // A worker that died may take some of its counts with it.
      return Math.max(0, COUNTERS[key](snapshot) - COUNTERS[key](before)) / seconds;
    });
  }

  /** The broker did not answer: graphs have a gap. */
  addGap(time) {
    this.#add(time, undefined, () => null);
  }

  /** The newest value of a column; null when there is none. */
  newest(key) {
    return this.columns[key].at(-1) ?? null;
  }

  /** Mean of a column over the last seconds, which smooths what is read as text. */
  recent(key, seconds = 3) {
    const values = [];
    const column = this.columns[key];
    for (let i = this.time.length - 1; i >= 0 && this.time[i] > this.time.at(-1) - seconds; i--) {
      if (column[i] !== null) values.push(column[i]);
    }
    return values.length > 0 ? values.reduce((a, b) => a + b) / values.length : null;
  }

  /** Index of the first row that is not older than `seconds`. */
  since(seconds) {
    const from = (this.time.at(-1) ?? 0) - seconds;
    let i = this.time.length;
    while (i > 0 && this.time[i - 1] >= from) i--;
    return i;
  }

  /** The oldest snapshot of this run of the broker within the last seconds. */
  earliest(seconds) {
    const started = this.last?.startedAt;
    return this.snapshots.slice(this.since(seconds)).find((s) => s && s.startedAt === started);
  }

  /** Samples of a histogram within the last seconds: {bounds, counts}. */
  distribution(name, seconds) {
    if (!this.last) return {bounds: [], counts: []};
    const later = this.last.histogram(name);
    return {bounds: later.bounds, counts: between(this.earliest(seconds)?.histogram(name), later)};
  }

  /** What a family of counters grew by within the last seconds: Map from reason to number. */
  grown(name, seconds) {
    const now = this.last?.by(name, 'reason') ?? new Map();
    const then = this.earliest(seconds)?.by(name, 'reason') ?? new Map();
    return new Map([...now].map(([reason, n]) => [reason, n - (then.get(reason) ?? 0)]));
  }
}
