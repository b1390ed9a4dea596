// SPDX-License-Identifier: MIT
// Who gets a session, and who does not.
import {connectPage, env, equal, openPage, test} from './lib.mjs';
import {shared} from './shared.mjs';

test('a page connects with serverCertificateHashes and gets the id it asked for', async () => {
  equal(await shared.a.evaluate(() => agent.id), 'page-a', 'id of the first page');
  equal(await shared.b.evaluate(() => agent.id), 'page-b', 'id of the second page');
  equal(await shared.a.evaluate(() => agent.options.serverCertificateHashes.length > 0), true, 'hashes');
});

test('a page measures its round trip over CONTROL', async () => {
  const ms = await shared.a.evaluate(() => agent.ping());
  if (!(ms > 0 && ms < 5000)) throw new Error(`ping took ${ms} ms`);
});

test('a page without an id is given one', async () => {
  const page = await openPage(shared.browser);
  const id = await connectPage(page, '');
  if (!/^anon-/.test(id)) throw new Error(`id is ${id}`);
  await page.context().close();
});

test('a wrong token is refused as unauthenticated', async () => {
  const page = await openPage(shared.browser);
  const code = await page.evaluate(async (url) => q.codeOf(q.Agent.connect(url, {
    id: 'intruder', token: 'wrong', serverCertificateHashes: await q.certificateHashes(url),
  })), env('QMS_WT'));
  equal(code, 0x04, 'code');
  await page.context().close();
});

/** What a page of `http` gets at `url`, without a word of ours on the wire. */
async function attempt(http, url) {
  const page = await openPage(shared.browser, http);
  const answer = await page.evaluate(async (to) => {
    const transport = new WebTransport(to, {serverCertificateHashes: await q.certificateHashes(to)});
    transport.closed.catch(() => {});
    return transport.ready.then(() => 'session', () => 'refused');
  }, url);
  await page.context().close();
  return answer;
}

test('a page of a foreign origin gets no session, one of an allowed origin does', async () => {
  const foreign = env('QMS_HTTP').replace('127.0.0.1', 'localhost');
  equal(await attempt(foreign, env('QMS_WT')), 'refused', 'foreign origin');
  equal(await attempt(env('QMS_HTTP'), env('QMS_WT')), 'session', 'allowed origin');
});

test('a path that is no WebTransport location gets no session', async () => {
  equal(await attempt(env('QMS_HTTP'), env('QMS_WT').replace('/quicms', '/elsewhere')), 'refused', 'answer');
});

test('a certificate that was not announced is refused by the browser', async () => {
  const page = await openPage(shared.browser);
  const answer = await page.evaluate((url) => q.Agent.connect(url, {
    serverCertificateHashes: [{algorithm: 'sha-256', value: new Uint8Array(32)}],
  }).then(() => 'session', () => 'refused'), env('QMS_WT'));
  equal(answer, 'refused', 'answer');
  await page.context().close();
});
