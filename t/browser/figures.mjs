// SPDX-License-Identifier: MIT
// What the pages compute, without a browser: rates, gaps, quantiles, numbers as text.
import {overtakings, progress} from '../../html/demo/race.js';
import {History} from '../../html/js/dashboard/history.js';
import {between, quantile, Snapshot} from '../../html/js/dashboard/snapshot.js';
import {byteRate, count, duration, plural, rate, size} from '../../html/js/format.js';
import {nearest} from '../../html/js/priorities.js';
import {equal, test} from './lib.mjs';

/** An answer of /api/v1/stats: bytes out so far, agents, refusals by reason, round trips as buckets. */
const answer = (time, {start = 1, out = 0, agents = 0, refused = {}, rtt = [0, 0, 0]} = {}) => new Snapshot({
  time, uptime: time - start, version: '0', workers: [],
  counters: {
    quicms_stream_bytes_total: [{labels: {direction: 'out'}, value: out}, {labels: {direction: 'in'}, value: 5}],
    quicms_stream_refusals_total: Object.entries(refused).map(([reason, value]) => ({labels: {reason}, value})),
  },
  gauges: {quicms_process_start_time_seconds: [{labels: {}, value: start}], quicms_agents: [{labels: {}, value: agents}]},
  histograms: {quicms_rtt_seconds: [{labels: {}, bounds: [0.001, 0.01], counts: rtt.slice(0, 2), sum: 0, count: rtt[2]}]},
});

test('figures: rates are differences by the broker\'s clock, gauges are what they are', () => {
  const h = new History();
  h.add(answer(100, {out: 1000, agents: 3}), 10);
  equal([h.newest('out'), h.newest('agents')], [null, 3], 'first row');
  h.add(answer(102, {out: 5000, agents: 4}), 12);
  equal([h.newest('out'), h.newest('in'), h.newest('agents')], [2000, 0, 4], 'second row');
  h.add(answer(102, {out: 5000, agents: 4}), 12.5);
  equal(h.time.length, 2, 'rows after the same answer once more');
});

test('figures: a broker that was gone leaves a gap, one that started anew no spike', () => {
  const h = new History();
  h.add(answer(100, {out: 1000}), 10);
  h.add(answer(101, {out: 2000}), 11);
  h.addGap(12);
  equal([h.newest('out'), h.last.time], [null, 101], 'rate in the gap, and the last that was heard');
  h.add(answer(104, {start: 103, out: 50}), 14);
  equal(h.columns.out, [null, 1000, null, null], 'rates');
  h.add(answer(105, {start: 103, out: 150}), 15);
  equal([h.newest('out'), h.earliest(60).time], [100, 104], 'rate, and where this run of the broker began');
  h.add(answer(106, {start: 103, out: 120}), 16);
  equal(h.newest('out'), 0, 'a counter that lost some');
});

test('figures: history is bounded, and windows count from the newest row', () => {
  const h = new History();
  for (let t = 0; t < 4000; t++) h.add(answer(t + 10, {out: t}), t);
  equal([h.time.length <= 3700, h.time.at(-1), h.time[h.since(60)]], [true, 3999, 3939], 'rows');
  equal(h.recent('out'), 1, 'mean of the last seconds');
});

test('figures: refusals and round trips are told for a window', () => {
  const h = new History();
  h.add(answer(100, {refused: {offline: 5}, rtt: [10, 10, 10]}), 0);
  h.add(answer(200, {refused: {offline: 7, acl: 1}, rtt: [10, 14, 15]}), 100);
  equal([...h.grown('quicms_stream_refusals_total', 300)], [['offline', 2], ['acl', 1]], 'refusals');
  equal([...h.grown('quicms_stream_refusals_total', 50)], [['offline', 0], ['acl', 0]], 'in a window that begins with this row');
  equal(h.distribution('quicms_rtt_seconds', 300).counts, [0, 4, 1], 'samples by bucket');
});

test('figures: quantiles lie on straight lines inside their buckets', () => {
  equal(quantile([1, 2], [0, 0, 0], 0.5), undefined, 'of nothing');
  equal(quantile([1, 2], [10, 10, 0], 0.5), 1, 'at a border');
  equal(quantile([1, 2], [10, 10, 0], 0.75), 1.5, 'inside');
  equal(quantile([1, 2], [0, 0, 4], 0.5), 2, 'in the open bucket');
  equal(between(undefined, {counts: [1, 3, 6]}), [1, 2, 3], 'buckets from cumulative counts');
});

test('figures: a race tells who overtook whom, and how far each was', () => {
  const lanes = [{doneAt: 100, points: [[50, 5], [100, 10]]}, {doneAt: 40, points: [[40, 10]]}, {doneAt: 60, points: [[60, 10]]}];
  equal(overtakings(lanes), 2, 'pairs');
  equal(progress(lanes, 10, 100, 4), [[0, 25, 50, 75, 100], [0, 0, 50, 50, 100], [0, 0, 100, null, null], [0, 0, 0, 100, null]], 'per cent');
});

test('figures: numbers are written alike everywhere', () => {
  equal([0, 512, 999, 1000, 1234, 99_500, 999_499, 1e6, 5e12].map(size), ['0 B', '512 B', '999 B', '1.0 kB', '1.2 kB', '100 kB', '999 kB', '1.0 MB', '5.0 TB'], 'sizes');
  equal([0, 0.0000004, 0.00025, 0.0123, 1, 12.7, 99.9, 150, 7200, 200_000].map(duration),
    ['0 µs', '0.40 µs', '250 µs', '12 ms', '1.0 s', '12 s', '99 s', '2 min', '2 h', '2 d'], 'durations');
  equal([rate(0), rate(3.14), rate(1500), byteRate(2e6), count(1234567), plural(1, 'agent'), plural(2, 'agent')],
    ['0/s', '3.1/s', '1.5 k/s', '2.0 MB/s', '1,234,567', '1 agent', '2 agents'], 'others');
  equal([0, 31, 32, 127, 160, 223, 224, 255].map(nearest), ['background', 'background', 'low', 'normal', 'high', 'high', 'critical', 'critical'], 'priorities');
});
