// SPDX-License-Identifier: MIT
// The end of a broker as its pages see it, and its coming back.
import {connectPage, equal, openPage, sleep, test} from './lib.mjs';
import {withBroker} from './own_broker.mjs';
import {shared} from './shared.mjs';

const GOING_AWAY = 0x10;
const QUICK = {idleTimeout: 2000, keepAlive: 500, connectTimeout: 2000};

/** Pages of a broker of its own, connected under `ids`. */
const pagesOf = (b, ids, options = {}) => Promise.all(ids.map(async (id) => {
  const page = await openPage(shared.browser, b.http);
  await connectPage(page, id, {url: b.wt, token: b.token, ...options});
  return page;
}));

test('a broker that quits tells its pages, lets their streams finish, and closes with code and reason', () => withBroker(async (b) => {
  const pages = await pagesOf(b, ['last-a', 'last-b']);
  const [a, other] = pages;
  const served = other.evaluate(() => q.serveEcho(agent).then(() => true));
  await a.evaluate(async () => {
    window.open = agent.openStream('last-b');
    window.writer = window.open.writable.getWriter();
    await window.writer.write('begun');
    await window.open.result; // at the other page: what is still on its way when the broker quits is refused
  });
  b.process.kill('SIGQUIT');
  await Promise.all(pages.map((page) => page.waitForFunction(() => goaways.length > 0)));
  const [[code, ms]] = await a.evaluate(() => goaways);
  equal([code, ms > 0 && ms <= 5000], [GOING_AWAY, true], `GOAWAY (deadline ${ms} ms)`);
  equal(await a.evaluate(() => q.codeOf(agent.request('last-b', 'late'))), GOING_AWAY, 'a new stream');
  const answer = await a.evaluate(async () => {
    window.writer.releaseLock();
    await q.writeAll(window.open.writable, q.noise(3_000_000, 1));
    return (await q.readAll(window.open.readable)).length;
  }).catch((e) => String(e));
  equal([answer, await served], [3_000_005, true], 'the stream that was open');
  for (const page of pages) {
    equal(await page.evaluate(() => ended), [GOING_AWAY, 'The broker is shutting down.'], 'close');
  }
  await Promise.all(pages.map((page) => page.shut()));
}, 'worker_shutdown_timeout 5s;'));

/** In the page: streams of every kind that are under way to and from `other`; `fates` tells how each ends. */
const running = async (other) => {
  const fate = (promise) => q.errorOf(promise).then((e) => (e === 'fine' ? e : `${e.name} ${e.code ?? '-'} ${e.by}`));
  const both = agent.openStream(other);
  const writer = both.writable.getWriter();
  await writer.write('begun');
  await both.result;
  const oneWay = agent.openStream(other, {unidirectional: true});
  const pouring = (async () => {
    const w = oneWay.writable.getWriter();
    for (;;) await w.write(q.noise(65536, 1));
  })();
  const [from, mute] = [await nextStream(), agent.openStream(other)];
  window.fates = Promise.all([q.readAll(both.readable), writer.closed, both.closed, pouring, oneWay.closed, q.readAll(from.readable),
    from.closed, mute.result, mute.closed, agent.request(other, 'no answer'), agent.closed].map(fate));
};

const LOST = ['idle_timeout', 'transport'];

for (const [how, options, back] of [['is killed', QUICK, false], ['is killed and comes back at once', {keepAlive: 500}, true]]) {
  test(`streams of a broker that ${how} end as lost, not as cancelled or complete`, () => withBroker(async (b) => {
    const pages = await pagesOf(b, ['cut-a', 'cut-b'], options);
    pages[1].evaluate(async () => {
      const first = await nextStream();
      await first.writable.getWriter().write('taken');
      window.kept = [first, await nextStream()];
      const back = agent.openStream('cut-a', {unidirectional: true}).writable.getWriter();
      await back.write('some');
    });
    await pages[0].evaluate(running, 'cut-b');
    await sleep(200); // bytes are under way
    await b.kill();
    if (back) await b.start();
    const fates = await pages[0].evaluate(() => window.fates);
    console.log(`# all ${fates.length}: ${[...new Set(fates)].join(', ')}`);
    if (fates.some((fate) => fate !== fates[0] || !LOST.includes(fate.split(' ')[0]))) throw new Error(fates.join(', '));
    await Promise.all(pages.map((page) => page.shut()));
    if (!back) await b.start();
  }));
}

test('a broker that is killed and comes back finds its pages again', () => withBroker(async (b) => {
  const [page] = await pagesOf(b, ['phoenix'], {reconnect: {min: 100, max: 500}, ...QUICK});
  await page.evaluate(() => {
    window.events = [];
    agent.addEventListener('reconnecting', ({detail}) => events.push([detail.error.by, detail.delay >= 0]));
    agent.addEventListener('ready', ({detail}) => events.push(detail.id));
    window.cut = q.errorOf(agent.openStream('service:echo').result.then(() => new Promise(() => {})));
  });
  await b.kill();
  await page.waitForFunction(() => events.length > 0);
  await b.start();
  await page.waitForFunction(() => events.includes('phoenix'));
  equal(await page.evaluate(() => agent.request('service:echo', 'again').then(q.text)), 'again', 'an exchange');
  const events = await page.evaluate(() => window.events);
  equal(events[0][1], true, `first event ${JSON.stringify(events)}`);
  equal((await page.evaluate(() => agent.stats())).reconnects > 0, true, 'reconnects in the figures');
  await page.shut();
}));

test('a certificate that was renewed is found through certificateHashesUrl', () => withBroker(async (b) => {
  const [page] = await pagesOf(b, ['renewed'], {reconnect: {min: 100, max: 500}, ...QUICK});
  const before = await b.json('/api/v1/cert');
  await page.evaluate(() => {
    window.again = new Promise((resolve) => agent.addEventListener('ready', resolve, {once: true}));
  });
  await b.kill();
  b.forgetCertificate();
  await b.start();
  const after = await b.json('/api/v1/cert');
  equal(before.certificates[0].sha256 === after.certificates[0].sha256, false, 'same hash');
  await page.evaluate(() => window.again.then(() => true));
  equal(await page.evaluate(() => agent.request('service:echo', 'renewed').then(q.text)), 'renewed', 'an exchange');
  await page.shut();
}));

test('a page whose pinned certificate was renewed does not come back', () => withBroker(async (b) => {
  const [{sha256}] = (await b.json('/api/v1/cert')).certificates;
  const page = await openPage(shared.browser, b.http);
  const id = await page.evaluate(async ([url, token, pin]) => {
    const value = Uint8Array.from(pin.match(/../g), (x) => parseInt(x, 16));
    window.agent = await q.connect(url, {id: 'pinned', token, connectTimeout: 1000, idleTimeout: 2000, keepAlive: 500, reconnect: {min: 100, max: 200},
      serverCertificateHashes: [{algorithm: 'sha-256', value}]});
    window.failures = 0;
    agent.addEventListener('reconnecting', () => { window.failures++; });
    return agent.id;
  }, [b.wt, b.token, sha256]);
  equal(id, 'pinned', 'id');
  await b.kill();
  b.forgetCertificate();
  await b.start();
  await page.waitForFunction(() => failures >= 3);
  equal((await b.json('/api/v1/agents')).agents.length, 0, 'agents that came back');
  await page.shut();
}));
