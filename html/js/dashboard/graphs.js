// SPDX-License-Identifier: MIT
// Which graphs there are, and what of the history each shows.
import {$} from '../dom.js';
import {byteRate, count, duration, plural, rate} from '../format.js';
import {Chart} from '../charts.js';
import {PRIORITIES, titled} from '../priorities.js';
import {REFUSALS} from './history.js';
import {quantile} from './snapshot.js';

const OVER_TIME = [
  {key: 'throughput', title: 'Throughput', note: 'Payload of streams and datagrams, from and to agents', format: byteRate,
    series: [{key: 'out', label: 'To agents', color: '--s-green'}, {key: 'in', label: 'From agents', color: '--s-blue', dash: [6, 4]}]},
  {key: 'priorities', title: 'Priorities', note: 'Payload that reached agents, by the named priority nearest to the stream’s',
    format: byteRate, stacked: true,
    series: Object.keys(PRIORITIES).map((p) => ({key: p, label: titled(p), color: `--p-${p}`}))},
  {key: 'streams', title: 'Open streams', note: 'Routed streams that are open at this moment', format: count, whole: true,
    series: [{key: 'streams', label: 'Open', color: '--s-blue'}]},
  {key: 'agents', title: 'Connections', note: 'Agents by carrier', format: count, whole: true, stacked: true,
    series: [{key: 'quic', label: 'QUIC', color: '--s-blue'}, {key: 'webtransport', label: 'WebTransport', color: '--s-orange'}]},
  {key: 'datagrams', title: 'Datagrams', note: 'Dropped: no target, refused, too large, or no room', format: rate,
    series: [{key: 'datagramsOut', label: 'To agents', color: '--s-green'},
      {key: 'datagramsIn', label: 'From agents', color: '--s-blue', dash: [6, 4]}, {key: 'datagramsDropped', label: 'Dropped', color: '--s-red'}]},
  {key: 'refusals', title: 'Refusals', note: 'What was turned away; the reasons stand in the table below', format: rate, stacked: true,
    series: Object.keys(REFUSALS).map((what, i) => ({key: `refused:${what}`, label: titled(what),
      color: ['--s-purple', '--s-orange', '--s-red', '--s-green', '--s-blue'][i]}))},
];
const RTT = {key: 'rtt', title: 'Round-trip times', bars: true, whole: true, format: count, legendFormat: (n) => plural(n, 'sample'),
  series: [{key: 'rtt', label: 'Samples', color: '--s-blue'}]};
const ORDER = ['throughput', 'priorities', 'streams', 'rtt', 'agents', 'datagrams', 'refusals'];

/** "≤ 1 ms" for the bucket before the i-th, for marks that stand between bars. */
const bucketName = (bounds) => (i) => {
  if (!Number.isInteger(i) || i < 0 || i > bounds.length) return '';
  return i === bounds.length ? `> ${duration(bounds.at(-1))}` : `≤ ${duration(bounds[i])}`;
};

/** Seconds to show of a window while the page is younger than that: no empty half. */
export const visible = (seconds, age) => Math.min(seconds, Math.max(60, age));

export class Graphs {
  constructor() {
    this.charts = Object.fromEntries(OVER_TIME.map((spec) => [spec.key, new Chart(spec)]));
    this.rttBounds = [];
    this.charts.rtt = new Chart({...RTT, axisValues: (i) => bucketName(this.rttBounds)(i)});
    $('charts').prepend(...ORDER.map((key) => this.charts[key].card));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.redraw());
  }

  redraw() {
    for (const chart of Object.values(this.charts)) chart.redraw();
  }

  draw(history, seconds) {
    const first = Math.max(0, history.since(seconds) - 1);
    const now = history.time.at(-1) ?? 0;
    const begin = now - visible(seconds, now - (history.time[0] ?? now));
    const time = history.time.slice(first);
    for (const spec of OVER_TIME) {
      this.charts[spec.key].draw([time, ...spec.series.map((s) => history.columns[s.key].slice(first))], begin, now);
    }
    this.#drawRtt(history, seconds);
  }

  /** Only the buckets around those that have samples: the others would be empty space. */
  #drawRtt(history, seconds) {
    const {bounds, counts} = history.distribution('quicms_rtt_seconds', seconds);
    const used = counts.flatMap((n, i) => (n > 0 ? [i] : []));
    const from = Math.max(0, Math.min((used[0] ?? 0) - 1, counts.length - 8));
    const until = Math.min(counts.length, Math.max((used.at(-1) ?? 0) + 2, from + 8));
    this.rttBounds = bounds.slice(from, until);
    const shown = counts.slice(from, until);
    this.charts.rtt.draw([shown.map((_, i) => i), shown], -0.6, shown.length - 0.4);
    const [median, most] = [quantile(bounds, counts, 0.5), quantile(bounds, counts, 0.95)];
    this.charts.rtt.note.textContent = median === undefined
      ? 'No sample yet: each agent gives one every 10 s, and one when it leaves'
      : `Half of the samples are below ${duration(median)}, 95 % below ${duration(most)}`;
  }
}
