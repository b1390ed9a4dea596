// SPDX-License-Identifier: MIT
// One answer of /api/v1/stats, and what can be asked of it: samples by name and labels.

const matches = (sample, labels) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value);

export class Snapshot {
  /** `ownStreams`: how many of the open streams are those that the answer itself came over. */
  constructor(json, ownStreams = 0) {
    this.json = json;
    this.ownStreams = ownStreams;
    this.time = json.time;
    this.workers = json.workers;
    this.version = json.version;
    this.uptime = json.uptime;
    this.startedAt = this.value('quicms_process_start_time_seconds');
  }

  samples(name) {
    return this.json.counters[name] ?? this.json.gauges[name] ?? [];
  }

  /** Sum of the samples of one name whose labels are these. */
  value(name, labels = {}) {
    return this.samples(name).reduce((sum, s) => sum + (matches(s, labels) ? s.value : 0), 0);
  }

  /** Map from the values of one label to their sums. */
  by(name, label) {
    const sums = new Map();
    for (const s of this.samples(name)) sums.set(s.labels[label], (sums.get(s.labels[label]) ?? 0) + s.value);
    return sums;
  }

  /** {bounds, counts}: counts cumulative, the last of all samples. */
  histogram(name) {
    const [h] = this.json.histograms[name] ?? [];
    return h ? {bounds: h.bounds, counts: [...h.counts, h.count]} : {bounds: [], counts: [0]};
  }
}

/** Samples in each bucket between two moments; the last bucket is open above. */
export function between(earlier, later) {
  const old = earlier?.counts.length === later.counts.length ? earlier.counts : later.counts.map(() => 0);
  const grown = later.counts.map((n, i) => n - old[i]);
  return grown.map((n, i) => Math.max(0, n - (grown[i - 1] ?? 0)));
}

/** The value below which `share` of the samples lie, by straight lines inside buckets; undefined
 * without samples. */
export function quantile(bounds, counts, share) {
  let rank = counts.reduce((sum, n) => sum + n, 0) * share;
  if (rank === 0) return undefined;
  for (const [i, n] of counts.entries()) {
    if (rank <= n && n > 0) {
      const low = bounds[i - 1] ?? 0;
      const high = bounds[i] ?? low; // nothing is known of the open bucket but where it begins
      return low + ((high - low) * rank) / n;
    }
    rank -= n;
  }
  return bounds.at(-1);
}
