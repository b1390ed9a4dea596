// SPDX-License-Identifier: MIT
// Every call of the package in a page and in a worker (served/calls.js).
import {NAME} from './browsers.mjs';
import {env, equal, openPage, test} from './lib.mjs';
import {shared} from './shared.mjs';

const FIREFOX = NAME === 'firefox';
let seats;

/** The page, and a worker that it has started; made once. */
async function start() {
  const page = await openPage(shared.browser);
  await page.evaluate(async () => {
    window.calls = await import('/test/calls.js');
    window.worker = new Worker('/test/worker.js', {type: 'module'});
  });
  return {
    page: (name, args) => page.evaluate(([n, a]) => calls[n](...a), [name, args]),
    worker: (name, args) => page.evaluate(([n, a]) => new Promise((resolve, reject) => {
      worker.onmessage = ({data}) => (data.error ? reject(new Error(data.error)) : resolve(data.value));
      worker.onerror = (e) => reject(new Error(e.message));
      worker.postMessage({name: n, args: a});
    }), [name, args]),
  };
}

/** A case for each place: `check` gets what calls.js's function `name` returned, and the ids' stem. */
function everywhere(sentence, name, check) {
  for (const place of ['page', 'worker']) {
    test(`in a ${place} ${sentence}`, async () => {
      seats ??= start();
      const id = `${place}-${name}`;
      check(await (await seats)[place](name, [{url: env('QMS_WT'), token: env('QMS_TOKEN'), id}]), id);
    });
  }
}

const error = (name, by, code) => ({name, ...(code === undefined ? {} : {code}), by});
const same = (got, want, what) => equal(got && {name: got.name, ...(got.code === undefined || got.code === null ? {} : {code: got.code}), by: got.by}, want, what);

everywhere('an agent connects, measures, refreshes its token and closes', 'connection', (got, id) => {
  equal([got.ids, got.url, got.ping, got.stats], [[`${id}-a`, `${id}-b`], env('QMS_WT'), true, []], 'connection');
  equal(got.refreshed, 'taken', 'a fresh token');
  same(got.refused, error('unauthenticated', 'peer', 4), 'a wrong token');
  equal(got.closed, {closeCode: 0x90, reason: 'done “here”'}, 'close');
  same(got.later, error('closed', 'program'), 'a stream after the end');
  equal(got.laterStats, 'number', 'figures after the end');
});

everywhere('wrong arguments and aborts are told at once', 'refusals', (got) => {
  equal([got.aborted, got.abortedLater], ['AbortError', [0x12, 'aborted']], 'aborts');
  same(got.raw, error('unsupported_here', 'program'), 'a quic:// URL');
  same(got.address, error('invalid', 'program'), 'no URL');
  equal([got.identity, got.hash], ['invalid', 'invalid'], 'a bad id and a bad hash');
  if (!got.hashesUrl.includes('/absent answered 404')) throw new Error(`it says: ${got.hashesUrl}`);
});

everywhere('a stream carries its header, both directions and their priorities', 'streams', (got, id) => {
  equal(got.header, [`${id}-a`, `${id}-b`, 'agent', true, false, 'hello', 'text/plain', 4,
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', {forward: 200, reverse: 200}], 'header');
  equal([got.bytes, got.result, got.back], ['ping', ['welcome', `${id}-b`], 'pong'], 'exchange');
  equal(got.priorities, [{forward: 3, reverse: 7}, {forward: 3, reverse: 7}], 'priorities');
  equal([got.figures, got.handles], [[4, 4, 4, 4], ['number', 'number']], 'figures');
});

everywhere('a stream one way arrives whole', 'oneWay', (got) => {
  equal(got, {same: true, sides: [true, true, false], priority: 64}, 'stream');
});

everywhere('answers, refusals, resets and stops arrive', 'answers', (got) => {
  const [result, closed, writer] = got.refused;
  equal([result.name, result.code, result.by, result.message, closed.code, writer],
    ['application', 0x83, 'peer', 'not today', 0x83, 0x83], 'refusal');
  equal([got.implicit, got.noResult], ['at once', 'no RESULT'], 'answers');
  const seen = (code, sent) => (FIREFOX && code === 0x12 ? sent : code);
  equal([seen(got.reset, 0x99), FIREFOX ? 0x9a : got.back], [0x99, 0x9a], 'resets');
  same(got.own, error('closed', 'program'), 'own reset');
  same(got.offline, error('offline', 'peer', 7), 'unknown agent');
  equal(got.wrong, ['invalid', 'invalid', 'invalid', 'size_limit'], 'bad targets and options');
});

everywhere('a framed stream keeps its messages apart', 'framed', (got) => {
  equal(got, {framed: true, seen: [0, 1, 63, 64, 5000, 300_000], count: 106}, 'messages');
});

everywhere('a stream can be read into buffers of the caller', 'byob', (got) => equal(got, 10_000, 'bytes'));

everywhere('requests are answered, time out and can be given up', 'requests', (got) => {
  equal([got.answer, got.signalled, got.aborted], ['question', 'in time', 'AbortError'], 'answers');
  same(got.timeout, error('timed_out', 'network'), 'timeout');
  if (got.told === 'fine') throw new Error('the other side was not told that the request was given up');
  equal(got.big.name, 'size_limit', 'too large');
  same(got.offline, error('offline', 'peer', 7), 'unknown agent');
});

everywhere('messages arrive whole with their fields', 'messages', (got, id) => {
  equal(got.first, [`${id}-a`, `${id}-b`, 'agent', 'first', 'm', 'text/plain', 9], 'first');
  equal([got.second, got.big], [200_000, 'size_limit'], 'sizes');
  same(got.offline, error('offline', 'peer', 7), 'unknown agent');
});

everywhere('groups, topics and watches are joined, served and left', 'members', (got, id) => {
  equal(got, {twice: 'exists', group: ['group', id, `${id}-b`], answer: 'to one of you', topic: ['topic', id, 'news'],
    watch: [' snapshot', '-a online', '-b offline', '-b online'], left: got.left}, 'members');
  if (got.left === undefined) throw new Error('a group that was left still answers');
});

everywhere('a subscriber that was too slow is told how many messages it missed', 'skipped', (got) => {
  equal(got, {policy: 'invalid', early: true, sum: [0, 0]}, 'messages');
});

everywhere('datagrams arrive up to the largest', 'datagrams', (got, id) => {
  equal(got, {room: true, got: [`${id}-a`, 'agent', true], over: 'size_limit'}, 'datagrams');
});

const median = (numbers) => numbers.toSorted((x, y) => x - y)[numbers.length >> 1];

everywhere('an urgent stream overtakes those opened before it, and with equal priorities does not', 'priority', (got) => {
  const per = (shares) => shares.map((x) => (100 * x).toFixed(0)).join(' ');
  console.log(`# complete after ${per(got.urgent)} % of all bytes, with equal priorities after ${per(got.equal)} %`);
  if (!(median(got.urgent) < 0.6 && median(got.equal) > 0.9)) throw new Error(JSON.stringify(got));
});

everywhere('a reader that stops holds its writer, and memory does not grow', 'backpressure', (got) => {
  console.log(`# ${got.taken} bytes taken, ${got.sent} in the writer's buffer, ${got.received} in the reader's`);
  equal([got.later, got.grown, got.moves], [got.taken, 0, 'others move'], 'held');
  if (got.sent > 256 << 10 || got.received > 384 << 10 || got.taken > 48 << 20 || got.heap > 16 << 20) throw new Error(JSON.stringify(got));
});

everywhere('views of the client\'s memory are sent unchanged while it grows', 'views', (got) => {
  equal(got, {grown: true, wrong: []}, 'streams that differ');
});
