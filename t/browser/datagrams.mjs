// SPDX-License-Identifier: MIT
// Datagrams of every size that fits, between pages and native agents.  Any one may be lost, so
// each is sent until it came.
import {equal, native, online, sleep, test} from './lib.mjs';
import {shared} from './shared.mjs';

const TRIES = 40;

/** Sends with `send()` until `arrived()`. */
async function persist(what, send, arrived) {
  for (let i = 0; i < TRIES; i++) {
    await send();
    for (let k = 0; k < 10; k++) {
      if (await arrived()) return;
      await sleep(10);
    }
  }
  throw new Error(`${what} did not arrive in ${TRIES} tries`);
}

const has = (page, source, text) => page.evaluate(([from, want]) => datagrams.some((d) => d.source === from
  && d.payload.length === want.length && q.text(d.payload) === want), [source, text]);
const send = (page, target, text) => page.evaluate(([to, what]) => agent.sendDatagram(to, what), [target, text]);
const maxTo = (page, target) => page.evaluate((to) => agent.datagramMax(to), target);
const sizes = (max) => [0, 1, 2, 63, 64, 65, 500, 1000, max - 1, max];
const text = (size) => `${size}:`.padEnd(size, 'abcdefghij').slice(0, size);

test('datagrams of all sizes up to the maximum pass from page to page', async () => {
  const max = await maxTo(shared.a, 'page-b');
  if (max < 1000) throw new Error(`datagramMax is ${max}`);
  for (const size of sizes(max)) {
    await persist(`${size} bytes`, () => send(shared.a, 'page-b', text(size)), () => has(shared.b, 'page-a', text(size)));
  }
});

test('a datagram over the maximum is refused as too large', async () => {
  const error = await shared.a.evaluate(() => q.errorOf(Promise.resolve().then(
    () => agent.sendDatagram('page-b', new Uint8Array(agent.datagramMax('page-b') + 1)))));
  equal(error.name, 'size_limit', 'error');
});

test('datagrams of all sizes up to the maximum pass from a page to a native agent', async () => {
  const listener = native('dgram-sink', '--json', 'listen');
  await online('dgram-sink');
  const max = await maxTo(shared.a, 'dgram-sink');
  const has = (want) => listener.lines().map((l) => JSON.parse(l)).some((e) => e.event === 'datagram'
    && e.source === 'page-a' && e.bytes === want.length && e.text === want);
  for (const size of sizes(max)) {
    await persist(`${size} bytes`, () => send(shared.a, 'dgram-sink', text(size)), () => has(text(size)));
  }
  await listener.stop();
});

test('datagrams of all sizes pass from a native agent to a page', async () => {
  for (const size of [1, 2, 64, 500, 1000, 1150]) {
    await persist(`${size} bytes`, () => native(`dgram-${size}`, 'datagram', 'agent:page-b', text(size)).done,
      () => has(shared.b, `dgram-${size}`, text(size)));
  }
});

/** Sends 500 datagrams while 10 MB are under way; how many of them arrive. */
async function burst() {
  const bulk = shared.b.evaluate(async () => (await q.readAll((await nextStream()).readable)).length);
  const before = await shared.b.evaluate(() => datagrams.length);
  await shared.a.evaluate(async () => {
    const stream = q.writeAll(agent.openStream('page-b', {unidirectional: true}).writable, q.noise(10_000_000, 3));
    for (let i = 0; i < 500; i++) {
      agent.sendDatagram('page-b', `burst ${i}`);
      if (i % 20 === 0) await agent.ping(); // sleep() lasts a second in a page behind another
    }
    await stream;
  });
  equal(await bulk, 10_000_000, 'bytes of the stream');
  await sleep(200);
  return await shared.b.evaluate(() => datagrams.length) - before;
}

// A browser that gets no processor for a while drops what waits in it: 171 to 500 arrived on a machine
// with five things to do for each core.
test('a burst of datagrams beside a bulk stream arrives for the most part', async () => {
  const arrived = [];
  while (arrived.length < 4 && !(arrived.at(-1) >= 250)) arrived.push(await burst());
  if (arrived.at(-1) < 250) throw new Error(`of 500 arrived ${arrived}`);
});
