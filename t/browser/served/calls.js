// SPDX-License-Identifier: MIT
// Every call of the package, run in a page and in a worker alike: each function makes its agents,
// and returns what the test compares.
import {connect, codeOf, errorOf, exchange, growHeap, heapSize, next, noise, Priority, readAll, serveEcho, sha256, sleep,
  text, utf8, writeAll} from './inside.js';

/** Two agents of this page, closed in the end. */
async function withPair({url, token, id}, body, options = {}) {
  const make = (name) => connect(url, {id: `${id}-${name}`, token, certificateHashesUrl: '/api/v1/cert',
    reconnect: false, ...options});
  const [a, b] = await Promise.all([make('a'), make('b')]);
  try {
    return await body(a, b);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
}

export const connection = (at) => withPair(at, async (a, b) => {
  const found = {ids: [a.id, b.id], url: a.url};
  found.ping = await a.ping() >= 0;
  await exchange(a, 'service:echo', noise(100_000, 1));
  const stats = await a.stats();
  found.stats = ['rtt_smoothed_us', 'packets_sent', 'bytes_received', 'streams_closed'].filter((n) => !(stats[n] > 0));
  found.refreshed = await a.refreshToken(at.token).then(() => 'taken');
  found.refused = await errorOf(b.refreshToken('wrong'));
  found.closed = await a.close({closeCode: 0x90, reason: 'done “here”'});
  found.later = await errorOf(Promise.resolve().then(() => a.openStream('service:echo')));
  found.laterStats = typeof (await a.stats()).bytes_sent;
  return found;
});

export async function refusals({url, token, id}) {
  const controller = new AbortController();
  const pending = errorOf(connect('https://127.0.0.1:9/quicms', {signal: controller.signal, connectTimeout: 60_000}));
  controller.abort();
  const living = new AbortController();
  const agent = await connect(url, {id, token: async () => token, signal: living.signal, certificateHashesUrl: '/api/v1/cert'});
  living.abort();
  const closed = await agent.closed;
  const hashes = (value) => errorOf(connect(url, {serverCertificateHashes: [{algorithm: 'sha-256', value}]}));
  return {
    aborted: (await pending).name,
    abortedLater: [closed.closeCode, closed.reason],
    raw: await errorOf(connect('quic://127.0.0.1:4433')),
    address: await errorOf(connect('127.0.0.1')),
    identity: (await errorOf(connect(url, {id: 'not a name', token}))).name,
    hash: (await hashes(new Uint8Array(3))).name,
    hashesUrl: (await errorOf(connect(url, {certificateHashesUrl: '/absent'}))).message,
  };
}

export const streams = (at) => withPair(at, async (a, b) => {
  const found = {};
  const stream = a.openStream(b.id, {priority: 200, meta: 'hello', contentType: 'text/plain', lengthHint: 4,
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', acceptDeadline: 5000});
  const writer = stream.writable.getWriter();
  const written = writer.write('ping').then(() => writer.close());
  const got = await next(b.incomingStreams);
  found.header = [got.source, got.target, got.kind, got.bidirectional, got.framed, text(got.meta), got.contentType,
    got.lengthHint, got.traceparent, got.priority];
  got.accept({meta: 'welcome'});
  found.bytes = text(await readAll(got.readable));
  await written;
  const result = await stream.result;
  found.result = [text(result.meta), result.acceptor];
  got.setPriority(7);
  stream.setPriority({forward: 3});
  const settled = ({forward, reverse}) => forward === 3 && reverse === 7;
  for (let i = 0; i < 250 && !(settled(stream.priority) && settled(got.priority)); i++) await sleep(20);
  found.priorities = [stream.priority, got.priority];
  const back = readAll(stream.readable);
  await writeAll(got.writable, utf8('pong'));
  found.back = text(await back);
  await Promise.all([stream.closed, got.closed]);
  const stats = stream.stats();
  found.figures = [stats.bytes_written, stats.bytes_acknowledged, stats.bytes_received, stats.bytes_read];
  found.handles = [typeof stream.id, typeof got.id];
  return found;
});

export const oneWay = (at) => withPair(at, async (a, b) => {
  const stream = a.openStream({kind: 'agent', name: b.id}, {unidirectional: true, priority: Priority.LOW});
  const done = writeAll(stream.writable, noise(70_000, 3));
  const got = await next(b.incomingStreams);
  const bytes = await readAll(got.readable);
  await done;
  await stream.closed;
  const discarded = a.openStream('service:discard', {unidirectional: true, noResult: true, idempotent: true});
  await writeAll(discarded.writable, noise(1000, 4));
  return {same: await sha256(bytes) === await sha256(noise(70_000, 3)), sides: [stream.readable === undefined,
    got.writable === undefined, got.bidirectional], priority: got.priority.forward};
});

export const answers = (at) => withPair(at, async (a, b) => {
  const found = {};
  const refused = a.openStream(b.id);
  const fates = Promise.all([errorOf(refused.result), errorOf(refused.closed), codeOf(refused.writable.getWriter().closed)]);
  (await next(b.incomingStreams)).reject(0x83, 'not today');
  found.refused = await fates;
  const implicit = a.openStream(b.id);
  const other = await next(b.incomingStreams);
  await writeAll(other.writable, utf8('at once'));
  await implicit.result;
  found.implicit = text(await readAll(implicit.readable));
  const reset = a.openStream(b.id);
  const peer = await next(b.incomingStreams);
  peer.accept();
  await reset.result;
  reset.reset(0x99);
  found.reset = await codeOf(readAll(peer.readable));
  peer.reset(0x9a);
  if (/Firefox/.test(navigator.userAgent)) {
    reset.stop(); // Firefox ESR 153 sends nothing more on a stream that the other side has reset
  } else {
    found.back = await codeOf(readAll(reset.readable));
  }
  found.own = await errorOf(reset.closed);
  const noResult = a.openStream(b.id, {noResult: true});
  await noResult.result;
  const mute = await next(b.incomingStreams);
  await writeAll(mute.writable, utf8('no RESULT'));
  found.noResult = text(await readAll(noResult.readable));
  found.offline = await errorOf(a.openStream('nobody-here').result);
  found.wrong = await Promise.all([['has space', {}], ['x', {priority: 256}], [7, {}], ['x', {meta: new Uint8Array(3000)}]]
    .map(([to, options]) => errorOf(Promise.resolve().then(() => a.openStream(to, options))).then((e) => e.name)));
  return found;
});

export const framed = (at) => withPair(at, async (a, b) => {
  const stream = a.openStream(b.id, {framed: true});
  const sizes = [0, 1, 63, 64, 5000, 300_000];
  const writer = stream.writable.getWriter();
  const done = (async () => {
    for (const n of sizes) await writer.write(noise(n, n + 1));
    for (let i = 0; i < 100; i++) await writer.write(`m${i}`);
    await writer.close();
  })();
  const got = await next(b.incomingStreams);
  got.accept();
  await sleep(50); // more wait than are kept ahead
  const seen = [];
  for await (const message of got.readable) seen.push(message.length);
  await done;
  return {framed: got.framed, seen: seen.slice(0, sizes.length), count: seen.length};
});

export const byob = (at) => withPair(at, async (a) => {
  const stream = a.openStream('service:echo');
  writeAll(stream.writable, noise(10_000, 5));
  await stream.result;
  const reader = stream.readable.getReader({mode: 'byob'});
  let length = 0;
  let view = new Uint8Array(1000);
  for (;;) {
    const {value, done} = await reader.read(view);
    if (done) return length;
    length += value.length;
    view = new Uint8Array(value.buffer);
  }
});

export const requests = (at) => withPair(at, async (a, b) => {
  const found = {};
  const served = serveEcho(b);
  found.answer = text(await a.request(b.id, 'question', {priority: 255}));
  await served;
  found.timeout = await errorOf(a.request(b.id, 'never answered', {timeout: 50}));
  (await next(b.incomingStreams)).reject();
  const controller = new AbortController();
  const pending = errorOf(a.request(b.id, 'given up', {signal: controller.signal}));
  const late = await next(b.incomingStreams);
  controller.abort();
  found.aborted = (await pending).name;
  found.told = await codeOf(readAll(late.readable).then(() => late.closed));
  const answering = serveEcho(b);
  found.signalled = text(await a.request(b.id, 'in time', {signal: new AbortController().signal, timeout: 5000}));
  await answering;
  found.big = await errorOf(a.request('service:echo', noise(1_100_000, 1)));
  found.offline = await errorOf(a.request('nobody-here', '?'));
  return found;
});

export const messages = (at) => withPair(at, async (a, b) => {
  await Promise.all([a.send(b.id, 'first', {meta: 'm', contentType: 'text/plain', priority: 9}), a.send(b.id, noise(200_000, 2))]);
  const got = [await next(b.incomingMessages), await next(b.incomingMessages)].sort((x, y) => x.payload.length - y.payload.length);
  return {first: [got[0].source, got[0].target, got[0].kind, text(got[0].payload), text(got[0].meta), got[0].contentType, got[0].priority],
    second: got[1].payload.length, offline: await errorOf(a.send('nobody-here', 'x')),
    big: (await errorOf(a.send(b.id, noise(1_100_000, 1)))).name};
});

export const datagrams = (at) => withPair(at, async (a, b) => {
  const max = a.datagramMax(b.id);
  let got;
  const arrived = next(b.incomingDatagrams).then((d) => { got = d; });
  for (let i = 0; i < 50 && !got; i++) {
    a.sendDatagram(b.id, 'x'.repeat(max), {priority: 200});
    await Promise.race([arrived, b.ping()]);
  }
  await arrived;
  return {room: max > 1000, got: [got.source, got.kind, got.payload.length === max],
    over: (await errorOf(Promise.resolve().then(() => a.sendDatagram(b.id, 'x'.repeat(max + 1))))).name};
});

export const members = (at) => withPair(at, async (a, b) => {
  const found = {};
  const group = a.join(`group:${at.id}`, {weight: 2, priority: 1});
  const topic = a.join(`topic:${at.id}`);
  await Promise.all([group.ready, topic.ready]);
  found.twice = (await errorOf(a.join(`group:${at.id}`).ready)).name;
  const asked = b.request(`group:${at.id}`, 'to one of you').then(text);
  const got = await next(group);
  found.group = [got.kind, got.target, got.source];
  await got.readable.pipeTo(got.writable);
  found.answer = await asked;
  const published = b.openStream(`topic:${at.id}`);
  writeAll(published.writable, utf8('news'));
  const news = await next(topic);
  found.topic = [news.kind, news.target, text(await readAll(news.readable))];
  const watch = a.watch(at.id);
  await watch.ready;
  const seen = [];
  for await (const {agent, state} of watch) {
    seen.push(`${agent.replace(at.id, '')} ${state}`);
    if (state === 'snapshot') b.close();
    if (state === 'offline') break;
  }
  found.watch = seen.sort();
  await Promise.all([group.leave(), topic.leave()]);
  found.left = (await errorOf(a.request(`group:${at.id}`, '?'))).name;
  return found;
});

/** A subscriber that does not read while another one does: what it is told of the messages that it
 * misses. */
export const skipped = (at) => withPair(at, async (a, b) => {
  const topic = a.join(`topic:${at.id}`, {slowPolicy: 'drop'});
  const other = b.join(`topic:${at.id}`, {slowPolicy: 'drop'});
  await Promise.all([topic.ready, other.ready]);
  next(other).then((s) => s.readable.pipeTo(new WritableStream())).catch(() => {});
  const found = {policy: (await errorOf(Promise.resolve().then(() => a.join('topic:x', {slowPolicy: 'never'})))).name};
  const publisher = b.openStream(`topic:${at.id}`, {framed: true});
  const writer = publisher.writable.getWriter();
  await writer.write(noise(16_000, 1));
  const stream = await next(topic);
  let told = 0;
  stream.addEventListener('skipped', ({detail}) => { told += detail.messages; });
  const count = 600; // 9.6 MB
  for (let i = 1; i < count; i++) await writer.write(noise(16_000, 1));
  const ended = writer.close();
  let got = 0;
  for await (const message of stream.readable) {
    got += message.length === 16_000;
    found.early ??= told > 0 || undefined; // while there is more to come
  }
  await ended;
  await stream.closed;
  found.sum = [got + told - count, stream.stats().messages_skipped - told];
  return found;
});

/** A view of the client's memory is what the browser gets, and meanwhile that memory grows. */
export const views = (at) => withPair(at, async (a, b) => {
  const before = await heapSize();
  const wrong = [];
  for (let round = 0; round < 4; round++) {
    const streams = await Promise.all(Array.from({length: 5}, async (_, i) => {
      const bytes = noise(200_000, 10 * round + i + 1);
      const done = writeAll(a.openStream(b.id, {unidirectional: true, meta: String(10 * round + i + 1)}).writable, bytes);
      if (round < 3) await growHeap(await heapSize());
      return done;
    }).map((p) => ({p})));
    for (let i = 0; i < 5; i++) {
      const got = await next(b.incomingStreams);
      const want = await sha256(noise(200_000, Number(text(got.meta))));
      if (await sha256(await readAll(got.readable)) !== want) wrong.push(text(got.meta));
    }
    await Promise.all(streams.map(({p}) => p));
  }
  return {grown: await heapSize() > before, wrong};
}, {zeroCopy: true});

/** The shares of all bytes of 25 streams that have arrived when the stream opened last is complete, in
 * five runs; it is more urgent than the others, and then not. */
export const priority = (at) => withPair(at, async (a, b) => {
  const run = async (bulk, urgent) => {
    let arrived = 0;
    const took = async (level, i) => {
      await writeAll(a.openStream(b.id, {unidirectional: true, priority: level, meta: String(i)}).writable, noise(1_000_000, i + 1));
    };
    const received = Array.from({length: 25}, async () => {
      const stream = await next(b.incomingStreams);
      await stream.readable.pipeTo(new WritableStream({write: (chunk) => { arrived += chunk.length; }}));
      return [Number(text(stream.meta)), arrived];
    });
    await Promise.all(Array.from({length: 25}, (_, i) => took(i === 24 ? urgent : bulk, i)));
    return (await Promise.all(received)).find(([i]) => i === 24)[1] / arrived;
  };
  const shares = {urgent: [], equal: []};
  const middle = (numbers) => numbers.toSorted((x, y) => x - y)[numbers.length >> 1];
  // One pair in ten or so is far off; where the middle of five is in doubt, that of eleven counts.
  while (shares.urgent.length < 5 || (shares.urgent.length < 11 && middle(shares.urgent) >= 0.5)) {
    shares.urgent.push(await run(0, 255));
    shares.equal.push(await run(128, 128));
  }
  return shares;
});

/** What a writer whose reader has stopped gets rid of, and how the client's memory grows by it. */
export const backpressure = (at) => withPair(at, async (a, b) => {
  const stream = a.openStream(b.id, {unidirectional: true});
  const writer = stream.writable.getWriter();
  let taken = 0;
  const pushing = (async () => {
    for (;;) {
      await writer.write(noise(65_536, 1));
      taken += 65_536;
    }
  })().catch(() => {});
  const got = await next(b.incomingStreams);
  let before = -1;
  while (before !== taken) {
    before = taken;
    await sleep(1000);
  }
  const heap = await heapSize();
  await sleep(2000);
  const result = {taken, later: taken, heap, grown: await heapSize() - heap, sent: stream.stats().send_buffered,
    received: got.stats().receive_buffered};
  result.moves = await a.request('service:echo', 'others move').then(text);
  got.stop();
  await pushing;
  return result;
});
