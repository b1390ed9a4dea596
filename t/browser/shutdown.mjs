// SPDX-License-Identifier: MIT
// The end of a broker as its pages see it.  Comes last: the second broker is gone afterwards.
import {connectPage, env, equal, launch, openPage, test} from './lib.mjs';

const GOING_AWAY = 0x10;

test('a broker that quits tells its pages, lets their streams finish, and closes with code and reason', async () => {
  const address = new URL(env('QMS_FILES_WT')).host;
  const browser = await launch([`--origin-to-force-quic-on=${address}`,
    `--ignore-certificate-errors-spki-list=${env('QMS_FILES_SPKI')}`]);
  const pages = [];
  for (const id of ['last-a', 'last-b']) {
    const page = await openPage(browser, env('QMS_FILES_HTTP'));
    await connectPage(page, id, {url: env('QMS_FILES_WT'), token: env('QMS_FILES_TOKEN')});
    pages.push(page);
  }
  const [a, b] = pages;
  const served = b.evaluate(() => q.serveEcho().then(() => true));
  await a.evaluate(async () => {
    window.open = await agent.openStream('last-b');
    await window.open.result;
  });
  process.kill(Number(env('QMS_FILES_PID')), 'SIGQUIT');
  await Promise.all(pages.map((page) => page.waitForFunction(() => goaways.length > 0)));
  const [[code, ms]] = await a.evaluate(() => goaways);
  equal([code, ms > 0 && ms <= 5000], [GOING_AWAY, true], `GOAWAY (deadline ${ms} ms)`);
  equal(await a.evaluate(() => q.codeOf(agent.request('last-b', q.utf8('late')))), GOING_AWAY, 'a new stream');
  const answer = await a.evaluate(async () => {
    await q.writeAll(window.open.writable, q.noise(3_000_000, 1));
    return (await q.readAll(window.open.readable)).length;
  }).catch((e) => String(e));
  equal([answer, await served], [3_000_000, true], 'the stream that was open');
  for (const page of pages) {
    equal(await page.evaluate(() => ended), [GOING_AWAY, 'The broker is shutting down.'], 'close');
  }
  await browser.close();
});
