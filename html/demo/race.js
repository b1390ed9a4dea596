// SPDX-License-Identifier: MIT
// One run: a stream of each priority from left to right, and when which part of it arrived.
import {writeBytes} from '../js/bytes.js';
import {PRIORITIES} from '../js/priorities.js';

const text = new TextDecoder();

/** What arrives at the right agent of the runs under way: chunks by run and stream. */
export class Course {
  #runs = new Map();

  /** Whether this stream belongs to a run; takes it then. */
  take(stream) {
    const [, run, index] = /^race:(.+)\/(\d)$/.exec(text.decode(stream.meta)) ?? [];
    const course = this.#runs.get(run);
    if (!course) return false;
    this.#read(stream, course, Number(index)).catch(course.fail);
    return true;
  }

  async #read(stream, course, index) {
    const reader = stream.readable.getReader();
    const lane = course.lanes[index];
    for (;;) {
      const {value, done} = await reader.read();
      if (done) break;
      lane.bytes += value.length;
      lane.points.push([performance.now() - course.from, lane.bytes]);
    }
    lane.doneAt = performance.now() - course.from;
    if (course.lanes.every((l) => l.doneAt !== undefined)) course.finish();
  }

  /**
   * Runs it: `equal` gives all streams the same priority.  Resolves with the lanes, least urgent
   * first: {name, openedAt, doneAt (milliseconds), points: [[at, bytes so far]]}.
   */
  async run(left, target, size, equal) {
    const id = crypto.randomUUID();
    const names = Object.keys(PRIORITIES).reverse();
    const course = {from: performance.now(), lanes: names.map((name) => ({name, bytes: 0, points: []}))};
    const arrived = new Promise((resolve, reject) => Object.assign(course, {finish: resolve, fail: reject}));
    this.#runs.set(id, course);
    const bytes = new Uint8Array(size);
    try {
      const writing = course.lanes.map(async (lane, i) => {
        const priority = equal ? PRIORITIES.normal : PRIORITIES[lane.name];
        lane.openedAt = performance.now() - course.from;
        await writeBytes(left.openStream(target, {priority, unidirectional: true, meta: `race:${id}/${i}`}).writable, bytes);
      });
      await Promise.race([Promise.all([arrived, ...writing]),
        left.over.then((why) => { throw new Error(`the connection ended: ${why}`); })]);
    } finally {
      this.#runs.delete(id);
    }
    return course.lanes;
  }
}

/** Pairs of streams of which the one that was opened later was complete earlier. */
export function overtakings(lanes) {
  let pairs = 0;
  for (const [i, early] of lanes.entries()) pairs += lanes.slice(i + 1).filter((late) => late.doneAt < early.doneAt).length;
  return pairs;
}

/** Columns for a graph: moments, and of each lane how many per cent had arrived by then. */
export function progress(lanes, size, until, steps = 240) {
  const moments = Array.from({length: steps + 1}, (_, i) => (until * i) / steps);
  const columns = lanes.map(({points, doneAt}) => {
    let next = 0;
    let bytes = 0;
    return moments.map((at) => {
      while (next < points.length && points[next][0] <= at) [, bytes] = points[next++];
      return at > doneAt + until / steps ? null : (100 * bytes) / size;
    });
  });
  return [moments, ...columns];
}
