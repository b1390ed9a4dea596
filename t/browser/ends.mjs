// SPDX-License-Identifier: MIT
// How sessions end, and what the agents at the other end of their streams see.
import {readdirSync} from 'node:fs';
import {agentPage, brokerLog, equal, native, offline, online, test, until, withDirectory} from './lib.mjs';
import {NAME} from './browsers.mjs';
import {shared} from './shared.mjs';

const PEER_GONE = 0x0d;
const FIREFOX = NAME === 'firefox';
// Firefox does not always tell the code of a reset: CANCELLED stands for it.
const resetSeen = (got) => (FIREFOX && got === 0x12 ? PEER_GONE : got);

/**
 * An agent page that has accepted a stream of page-a; `seen`: how both directions end there.
 */
async function withOpenStream(id) {
  const page = await agentPage(shared.browser, id);
  const accepted = page.evaluate(async () => {
    window.stream = await nextStream();
    window.writer = window.stream.writable.getWriter();
    await window.writer.write(q.utf8('begun'));
  });
  const seen = await shared.a.evaluateHandle(async (to) => {
    const stream = await agent.openStream(to);
    await stream.result;
    return {code: q.codeOf(q.readAll(stream.readable)), stop: q.codeOf(stream.writable.getWriter().closed)};
  }, id);
  await accepted;
  return {page,
    seen: async () => {
      const [code, stop] = await seen.evaluate(async (ends) => [await ends.code, await ends.stop]);
      return [resetSeen(code), stop];
    }};
}

// On a busy machine Chromium may say that the navigation was aborted, having left the page all the same.
const reload = (page) => page.reload().catch((e) => {
  if (!/ERR_ABORTED/.test(e.message)) throw e;
});

test('code and reason of a broker that closes arrive in the page', async () => {
  const first = await agentPage(shared.browser, 'twice');
  const second = await agentPage(shared.browser, 'twice');
  equal(await first.evaluate(() => ended), [0x15, 'replaced by a newer connection'], 'close');
  await second.shut();
  await first.shut();
});

test('code and reason of a page that closes arrive at the broker', async () => {
  const page = await agentPage(shared.browser, 'closer');
  equal(await page.evaluate(() => agent.close({closeCode: 0x81, reason: 'going “home”'}).then((c) => c.closeCode)), 0x81, 'own view');
  await offline('closer');
  const line = await until('the end is logged', () => brokerLog().split('\n')
    .find((l) => l.includes('agent gone id=closer ')));
  if (!/ code=application number=129 .*reason=going .*home/.test(line)) throw new Error(`logged: ${line}`);
  await page.shut();
});

test('the open streams of a page that closes end as PEER_GONE', async () => {
  const {page, seen} = await withOpenStream('leaver');
  await page.evaluate(() => { agent.close({closeCode: 0x81, reason: 'going home'}); });
  equal(await seen(), [PEER_GONE, PEER_GONE], 'codes at the other page');
  await page.shut();
});

test('a page that is reloaded in the middle of a stream gives the other page PEER_GONE', async () => {
  const {page, seen} = await withOpenStream('reloader');
  await reload(page);
  equal(await seen(), [PEER_GONE, PEER_GONE], 'codes at the other page');
  await page.shut();
});

test('a tab that is closed in the middle of a stream gives the other page PEER_GONE', async () => {
  const {page, seen} = await withOpenStream('tab');
  await page.close();
  equal(await seen(), [PEER_GONE, PEER_GONE], 'codes at the other page');
  await page.shut();
});

test('a native agent whose page is reloaded is told that its stream broke off', async () => {
  const page = await agentPage(shared.browser, 'reloader-2');
  const accepted = page.evaluate(async () => { (await nextStream()).accept(); });
  const opener = native('opener-2', 'open', 'agent:reloader-2');
  await accepted;
  await reload(page);
  const {code, err} = await opener.done;
  equal(code, 6, `exit status (${err})`);
  await page.shut();
});

test('what a reloaded page had sent by half is not taken for the whole', () => withDirectory(async (dir) => {
  const listener = native('store-2', '--json', 'listen', '--out', dir, '--count', '1');
  await online('store-2');
  const page = await agentPage(shared.browser, 'reloader-3');
  await page.evaluate(async () => {
    const writer = agent.openStream('store-2', {unidirectional: true}).writable.getWriter();
    await writer.write(q.noise(300_000, 1));
  });
  await until('some of it is stored', () => readdirSync(dir).length > 0);
  await reload(page);
  const {code} = await listener.done;
  equal(code, 6, 'exit status');
  const broken = listener.lines().map((l) => JSON.parse(l)).find((e) => e.event === 'broken');
  equal(broken?.error, 'peer_gone', 'error');
  await page.shut();
}));

test('what a closed tab had sent by half is not taken for the whole', () => withDirectory(async (dir) => {
  const listener = native('store-3', '--json', 'listen', '--out', dir, '--count', '1');
  await online('store-3');
  const page = await agentPage(shared.browser, 'tab-2');
  await page.evaluate(async () => {
    const writer = agent.openStream('store-3', {unidirectional: true}).writable.getWriter();
    await writer.write(q.noise(300_000, 1));
  });
  await until('some of it is stored', () => readdirSync(dir).length > 0);
  await page.close();
  const {code} = await listener.done;
  equal(code, 6, 'exit status');
  const broken = listener.lines().map((l) => JSON.parse(l)).find((e) => e.event === 'broken');
  equal(broken?.error, 'peer_gone', 'error');
  await page.shut();
}));

test('a page sees PEER_GONE when a native agent is killed', async () => {
  const listener = native('victim', 'listen');
  await online('victim');
  const seen = shared.a.evaluate(async () => {
    const stream = await agent.openStream('victim');
    await stream.result;
    window.begun = true;
    return q.codeOf(q.readAll(stream.readable));
  });
  await shared.a.waitForFunction(() => window.begun);
  listener.child.kill('SIGTERM');
  equal(resetSeen(await seen), PEER_GONE, 'code');
  await listener.done;
});
