// SPDX-License-Identifier: MIT
// Streams of both kinds, opened by either side, between pages and native agents.
import {randomFillSync} from 'node:crypto';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {agentPage, agentRow, equal, native, online, sha256, sleep, test, until, withDirectory} from './lib.mjs';
import {shared} from './shared.mjs';

const BIG = 50_000_000;
const LIMIT = 32 << 20; // agent_memory 16m and what waits for acknowledgements at the other leg

/** A file of random bytes in `dir`, and its hash. */
function randomFile(dir, size) {
  const bytes = randomFillSync(Buffer.alloc(size));
  writeFileSync(join(dir, 'payload'), bytes);
  return {path: join(dir, 'payload'), bytes, hash: sha256(bytes)};
}

/** In the page: source, kind, length and hash of the next stream. */
const takeNext = (page) => page.evaluate(async () => {
  const stream = await nextStream();
  const bytes = await q.readAll(stream.readable);
  return [stream.source, stream.bidirectional, bytes.length, await q.sha256(bytes)];
});

/** In the page: sends noise on a unidirectional stream and returns its hash. */
const sendNoise = (page, target, size, seed) => page.evaluate(async ([to, length, from]) => {
  const bytes = q.noise(length, from);
  await q.writeAll(agent.openStream(to, {unidirectional: true}).writable, bytes);
  return q.sha256(bytes);
}, [target, size, seed]);

/** In the page: whether as much noise comes back from `target` as it went. */
const echoNoise = (page, target, size, seed) => page.evaluate(async ([to, length, from]) => {
  const bytes = q.noise(length, from);
  const back = await q.exchange(agent, to, bytes);
  return [back.length, await q.sha256(back) === await q.sha256(bytes)];
}, [target, size, seed]);

test('a page asks a native agent and gets its bytes back', async () => {
  const echo = native('echo-1', 'listen', '--echo');
  await online('echo-1');
  equal(await echoNoise(shared.a, 'echo-1', 1 << 20, 7), [1 << 20, true], 'echo');
  await echo.stop();
});

test('a native agent asks a page and gets the answer', async () => {
  const answered = shared.b.evaluate(async () => {
    const stream = await nextStream();
    const asked = q.text(await q.readAll(stream.readable));
    await q.writeAll(stream.writable, q.utf8(`you said ${asked}`));
    return [stream.source, stream.bidirectional];
  });
  const {code, out, err} = await native('asker', 'request', 'agent:page-b', 'hello page').done;
  equal(await answered, ['asker', true], 'what the page saw');
  equal(code, 0, `exit status (${err})`);
  if (!out.includes('you said hello page')) throw new Error(`answer was: ${out}`);
});

test('two pages exchange a bidirectional stream', async () => {
  const served = shared.b.evaluate(() => q.serveEcho(agent).then((s) => s.source));
  const answer = await shared.a.evaluate(async () => q.text(await agent.request('page-b', q.utf8('from page to page'))));
  equal(answer, 'from page to page', 'answer');
  equal(await served, 'page-a', 'source');
});

test('two pages exchange a unidirectional stream with its priority and meta', async () => {
  const got = shared.b.evaluate(async () => {
    const stream = await nextStream();
    return [q.text(await q.readAll(stream.readable)), stream.priority.forward, q.text(stream.meta)];
  });
  await shared.a.evaluate(async () => q.writeAll(
    agent.openStream('page-b', {unidirectional: true, priority: 200, meta: 'about'}).writable, q.utf8('one way')));
  equal(await got, ['one way', 200, 'about'], 'arrival');
});

test('an empty stream arrives as one, of both kinds', async () => {
  const got = takeNext(shared.b);
  await shared.a.evaluate(async () => q.writeAll(agent.openStream('page-b', {unidirectional: true}).writable, new Uint8Array(0)));
  equal((await got)[2], 0, 'bytes on the unidirectional one');
  const served = shared.b.evaluate(() => q.serveEcho(agent).then(() => true));
  equal((await echoNoise(shared.a, 'page-b', 0, 1)), [0, true], 'answer');
  await served;
});

test('50 MB pass from page to page and as much the other way at once, unchanged', async () => {
  const got = Promise.all([takeNext(shared.b), takeNext(shared.a)]);
  const hashes = await Promise.all([sendNoise(shared.a, 'page-b', BIG, 99), sendNoise(shared.b, 'page-a', BIG, 100)]);
  equal(await got, [['page-a', false, BIG, hashes[0]], ['page-b', false, BIG, hashes[1]]], 'arrivals');
});

test('50 MB pass from a native agent to a page on a unidirectional stream', () => withDirectory(async (dir) => {
  const file = randomFile(dir, BIG);
  const got = takeNext(shared.b);
  const {code, err} = await native('sender', 'send', 'agent:page-b', file.path).done;
  equal(code, 0, `exit status (${err})`);
  equal(await got, ['sender', false, BIG, file.hash], 'arrival');
}));

test('50 MB pass from a page to a native agent on a unidirectional stream', () => withDirectory(async (dir) => {
  const listener = native('store-1', 'listen', '--out', dir, '--count', '1');
  await online('store-1');
  const hash = await sendNoise(shared.a, 'store-1', BIG, 11);
  const {code, err} = await listener.done;
  equal(code, 0, `exit status of the listener (${err})`);
  const files = readdirSync(dir);
  equal(files.length, 1, 'files stored');
  equal(sha256(readFileSync(join(dir, files[0]))), hash, 'checksum');
}));

test('50 MB pass both ways on a bidirectional stream that a native agent opened', () => withDirectory(async (dir) => {
  const file = randomFile(dir, BIG);
  const served = shared.b.evaluate(() => q.serveEcho(agent).then((s) => s.source));
  const opener = native('opener', 'open', 'agent:page-b');
  opener.child.stdin.end(file.bytes);
  const {code, err} = await opener.done;
  equal(code, 0, `exit status (${err})`);
  equal(await served, 'opener', 'source');
  equal([opener.bytes, opener.hash.digest('hex')], [BIG, file.hash], 'what came back');
}));

test('50 MB pass both ways on a bidirectional stream that a page opened', async () => {
  const echo = native('echo-2', 'listen', '--echo');
  await online('echo-2');
  equal(await echoNoise(shared.a, 'echo-2', BIG, 5), [BIG, true], 'echo');
  await echo.stop();
});

test('a hundred concurrent streams between pages keep their bytes apart', async () => {
  const served = shared.b.evaluate(() => Promise.all(Array.from({length: 100}, () => q.serveEcho(agent))).then((all) => all.length));
  const wrong = await shared.a.evaluate(async () => {
    const answers = await Promise.all(Array.from({length: 100}, async (_, i) => {
      const bytes = q.noise(20_000, i + 1);
      return await q.sha256(await agent.request('page-b', bytes)) === await q.sha256(bytes);
    }));
    return answers.filter((same) => !same).length;
  });
  equal(await served, 100, 'streams served');
  equal(wrong, 0, 'answers that differ');
});

test('a thousand streams one after the other leave none behind', async () => {
  const served = shared.b.evaluate(async () => {
    for (let i = 0; i < 1000; i++) await q.serveEcho(agent);
  });
  const wrong = await shared.a.evaluate(async () => {
    let differ = 0;
    for (let i = 0; i < 1000; i++) {
      if (q.text(await agent.request('page-b', q.utf8(`number ${i}`))) !== `number ${i}`) differ++;
    }
    return differ;
  });
  await served;
  equal(wrong, 0, 'answers that differ');
  await until('no stream is left', async () => (await agentRow('page-b')).streams === 0);
});

test('a page that does not read one stream holds its sender alone', () => withDirectory(async (dir) => {
  const file = randomFile(dir, BIG);
  await shared.b.evaluate(() => { window.slow = nextStream(); });
  const sender = native('slow-sender', 'send', 'agent:page-b', file.path);
  await shared.b.evaluate(() => window.slow);
  let before = -1;
  const stuck = await until('the sender is held', async () => {
    await sleep(300);
    const now = (await agentRow('slow-sender')).bytes_in;
    const same = now === before;
    before = now;
    return same && now;
  });
  if (stuck > LIMIT) throw new Error(`${stuck} bytes were taken from the sender`);
  // Others move meanwhile, on the same session.
  const served = shared.b.evaluate(() => Promise.all(Array.from({length: 10}, () => q.serveEcho(agent))).then(() => true));
  const moved = await shared.a.evaluate(async () => {
    const answers = await Promise.all(Array.from({length: 10}, (_, i) => agent.request('page-b', q.noise(500_000, i + 1))));
    return answers.every((a) => a.length === 500_000);
  });
  equal([moved, await served], [true, true], 'other streams');
  equal((await agentRow('slow-sender')).bytes_in, stuck, 'bytes taken from the sender meanwhile');
  const arrived = await shared.b.evaluate(async () => q.sha256(await q.readAll((await window.slow).readable)));
  equal(arrived, file.hash, 'checksum when it reads at last');
  equal((await sender.done).code, 0, 'exit status of the sender');
}));

test('eight browser contexts exchange streams at once, each with its neighbour and a native agent', async () => {
  const echo = native('echo-3', 'listen', '--echo');
  const many = await Promise.all(Array.from({length: 8}, (_, i) => agentPage(shared.browser, `crowd-${i}`)));
  await online('echo-3');
  const serving = many.map((page) => page.evaluate(() => q.serveEcho(agent).then(() => true)));
  const answers = await Promise.all(many.flatMap((page, i) => [
    echoNoise(page, `crowd-${(i + 1) % 8}`, 2_000_000, i + 1), echoNoise(page, 'echo-3', 2_000_000, i + 20)]));
  await Promise.all(serving);
  equal(answers, answers.map(() => [2_000_000, true]), 'answers');
  await echo.stop();
  await Promise.all(many.map((page) => page.shut()));
});
