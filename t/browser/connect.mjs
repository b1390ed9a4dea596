// SPDX-License-Identifier: MIT
// Who gets a session, and who does not.
import {connectPage, env, equal, openPage, test} from './lib.mjs';
import {shared} from './shared.mjs';

const REFUSED = ['connect_failed', 'network']; // browsers do not tell more

test('a page connects with serverCertificateHashes and gets the id it asked for', async () => {
  equal(await shared.a.evaluate(() => agent.id), 'page-a', 'id of the first page');
  equal(await shared.b.evaluate(() => agent.id), 'page-b', 'id of the second page');
});

test('a page measures its round trip over CONTROL', async () => {
  const ms = await shared.a.evaluate(() => agent.ping());
  if (!(ms >= 0 && ms < 5000)) throw new Error(`ping took ${ms} ms`);
});

test('a page without an id is given one', async () => {
  const page = await openPage(shared.browser);
  const id = await connectPage(page, '');
  if (!/^anon-/.test(id)) throw new Error(`id is ${id}`);
  await page.shut();
});

test('a wrong token is refused as unauthenticated', async () => {
  const page = await openPage(shared.browser);
  const error = await page.evaluate(async (url) => q.errorOf(q.connect(url, {
    id: 'intruder', token: 'wrong', certificateHashesUrl: '/api/v1/cert',
  })), env('QMS_WT'));
  equal([error.name, error.code, error.by], ['unauthenticated', 0x04, 'peer'], 'error');
  await page.shut();
});

/** What a page of `http` gets at `url`: 'session', or the error's name and who caused it. */
async function attempt(http, url) {
  const page = await openPage(shared.browser, http);
  const answer = await page.evaluate(([to, token]) => q.connect(to, {token, certificateHashesUrl: '/api/v1/cert'})
    .then((a) => a.close()).then(() => 'session', (e) => [e.name, e.by]), [url, env('QMS_TOKEN')]);
  await page.shut();
  return answer;
}

test('a page of a foreign origin gets no session, one of an allowed origin does', async () => {
  const foreign = env('QMS_HTTP').replace('127.0.0.1', 'localhost');
  equal(await attempt(foreign, env('QMS_WT')), REFUSED, 'foreign origin');
  equal(await attempt(env('QMS_HTTP'), env('QMS_WT')), 'session', 'allowed origin');
});

test('a path that is no WebTransport location gets no session', async () => {
  equal(await attempt(env('QMS_HTTP'), env('QMS_WT').replace('/quicms', '/elsewhere')), REFUSED, 'answer');
});

test('a certificate that was not announced is refused by the browser', async () => {
  const page = await openPage(shared.browser);
  const answer = await page.evaluate((url) => q.connect(url, {
    serverCertificateHashes: [{algorithm: 'sha-256', value: new Uint8Array(32)}],
  }).then(() => 'session', (e) => [e.name, e.by]), env('QMS_WT'));
  equal(answer, REFUSED, 'answer');
  await page.shut();
});
