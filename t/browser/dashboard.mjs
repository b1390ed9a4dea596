// SPDX-License-Identifier: MIT
// The dashboard, against brokers with real traffic.
import {env, equal, native, offline, online, test, until} from './lib.mjs';
import {fits, isLabelled, isReadable, pixelsOf, visit} from './look.mjs';
import {withBroker} from './own_broker.mjs';

const dashboard = (options) => visit(`${env('QMS_HTTP')}/`, options);
const text = (page, selector) => page.textContent(selector);

/** Sends `bytes` through an echoing agent with a priority. */
async function exchange(broker, id, target, bytes, priority) {
  const agent = broker.native(id, '--priority', priority, 'open', `agent:${target}`);
  agent.child.stdin.end(Buffer.alloc(bytes, 7));
  const {code, err} = await agent.done;
  equal([code, agent.bytes], [0, bytes], `exit status and answer of ${id} (${err})`);
}

async function connectForm(page, token) {
  await page.fill('#own-token', token);
  await page.click('#own-form button');
}

test('dashboard: graphs, tiles and tables show the traffic of native agents and move on', () => withBroker(async (broker) => {
  const echo = broker.native('echo', 'listen', '--echo');
  await broker.online('echo');
  const {context, page, problems} = await visit(`${broker.http}/`);
  await page.waitForSelector('#status:text-is("live by polling")');
  await until('seven graphs', async () => await page.locator('#charts canvas').count() === 7);
  await page.waitForSelector('#agents td:text-is("echo")');
  const before = await pixelsOf(page, 'priorities', '--p-critical');
  equal(before, 0, 'pixels of a level before anybody used it');
  await exchange(broker, 'urgent', 'echo', 20_000_000, 'critical');
  await exchange(broker, 'patient', 'echo', 20_000_000, 'low');
  await until('the graph of priorities shows both levels', async () => await pixelsOf(page, 'priorities', '--p-critical') > 30
    && await pixelsOf(page, 'priorities', '--p-low') > 30);
  equal(await pixelsOf(page, 'priorities', '--p-high'), 0, 'pixels of a level that nobody used');
  await until('the graph of throughput shows it', async () => await pixelsOf(page, 'throughput', '--s-green') > 30);
  await until('the row of the agent', async () => (await text(page, '#agents tr:has(td:text-is("echo"))')).includes('40 MB40 MB'));
  const image = () => page.evaluate(() => document.querySelector('[data-chart=agents] canvas').toDataURL());
  const now = await image();
  await until('the graph moves on', async () => await image() !== now);
  await page.click('#pause');
  await page.waitForTimeout(300);
  const paused = await image();
  await page.waitForTimeout(2500);
  equal(await image() === paused, true, 'a paused graph stands still');
  equal(await text(page, '#status'), 'paused', 'status');
  equal(problems, [], 'errors in the page');
  await echo.stop();
  await context.close();
}));

test('dashboard: streams that are open are listed with both ends and their priority', () => withBroker(async (broker) => {
  const echo = broker.native('echo', 'listen', '--echo');
  await broker.online('echo');
  const {context, page} = await visit(`${broker.http}/`);
  await page.waitForSelector('#streams-note:text-is("No stream is open at this moment.")');
  const opener = broker.native('opener', '--priority', 'high', 'open', 'agent:echo');
  opener.child.stdin.write(Buffer.alloc(5000));
  const cells = () => page.$$eval('#streams tbody td', (all) => all.map((c) => c.textContent));
  await until('the stream is listed', async () => (await cells()).at(-1) === '5.0 kB');
  equal([(await cells()).slice(0, 4), (await cells()).slice(5)], [['opener', 'agent:echo', 'both', 'high, 192'], ['5.0 kB', '5.0 kB']], 'row');
  await fits(page, [390, 1280]);
  opener.child.stdin.end();
  await opener.done;
  await page.waitForSelector('#streams-note:text-is("No stream is open at this moment.")');
  await echo.stop();
  await context.close();
}));

test('dashboard: round trips, refusals with their reasons, and workers are told', () => withBroker(async (broker) => {
  const {context, page} = await visit(`${broker.http}/`);
  await page.waitForSelector('#agents-note:text-is("No agent is connected.")');
  equal([await page.isVisible('#agents-empty'), await page.isVisible('#agents')], [true, false], 'help in place of an empty table');
  await broker.native('lonely', 'request', 'agent:nobody', 'x').done;
  await page.waitForSelector('#refusals tr:has(td:text-is("Stream")):has(td:text-is("offline")):has(td:text-is("1"))');
  await until('the tile of refusals', async () => await text(page, '#tile-refusals') === '1');
  await until('the tile of round trips', async () => /^[\d.]+ [µm]?s$/.test(await text(page, '#tile-rtt')));
  await until('bars of round trips', async () => await pixelsOf(page, 'rtt', '--s-blue') > 100);
  const pids = (await broker.json('/api/v1/workers')).workers.map((w) => String(w.pid));
  equal(await page.$$eval('#workers td[data-label=Process]', (cells) => cells.map((c) => c.textContent)), pids, 'processes');
  await context.close();
}, 'worker_processes 2;'));

test('dashboard: the page is an agent once it has the token, which only the tab keeps', async () => {
  const {context, page, problems} = await dashboard();
  await connectForm(page, env('QMS_TOKEN'));
  await page.waitForSelector('#own-note:has-text("Connected by WebTransport as dashboard-")');
  const id = /as (\S+)\.$/.exec(await text(page, '#own-note'))[1];
  await online(id);
  await until('its own round trip is drawn', async () => await pixelsOf(page, 'own', '--s-purple') > 10);
  await page.waitForSelector('#own-figures >> text=Congestion window');
  await page.waitForSelector('#status:text-is("live over WebTransport")');
  await until('its own request is not counted among the streams', async () => await text(page, '#tile-streams') === '0');
  const pids = (await (await fetch(`${env('QMS_HTTP')}/api/v1/workers`)).json()).workers.map((w) => String(w.pid));
  await until('processes, of which agents are not told', async () => JSON.stringify(await page.$$eval('#workers td[data-label=Process]',
    (cells) => cells.map((c) => c.textContent))) === JSON.stringify(pids));
  equal(await page.evaluate(() => [localStorage.length, document.cookie, sessionStorage.getItem('quicms-token'), location.href]),
    [0, '', env('QMS_TOKEN'), `${env('QMS_HTTP')}/`], 'where the token is');
  await page.reload();
  await page.waitForSelector('#own-note:has-text("Connected by WebTransport as dashboard-")');
  await offline(id);
  await page.click('#own-disconnect');
  await page.waitForSelector('#own-form button:text-is("Connect")');
  equal([await page.evaluate(() => sessionStorage.length), await page.inputValue('#own-token')], [0, ''], 'what is left');
  await page.waitForSelector('#status:text-is("live by polling")');
  equal(problems, [], 'errors in the page');
  await context.close();
});

test('dashboard: a wrong token is refused in a sentence, and polling goes on', async () => {
  const {context, page} = await dashboard();
  await connectForm(page, 'wrong');
  await page.waitForSelector('#own-note:has-text("The broker refused:"):has-text("unauthenticated")');
  equal([await page.isVisible('#own-form'), await page.evaluate(() => sessionStorage.length)], [true, 0], 'asks anew, keeps nothing');
  await page.waitForSelector('#status:text-is("live by polling")');
  await context.close();
});

test('dashboard: without WebTransport it polls, says so, and shows the same', async () => {
  const echo = native('echo-polled', 'listen', '--echo');
  await online('echo-polled');
  const {context, page, problems} = await dashboard({prepare: () => { delete window.WebTransport; }});
  await page.waitForSelector('#own-note:has-text("This browser has no WebTransport")');
  equal(await page.isVisible('#own-form'), false, 'a form that could do nothing');
  await page.waitForSelector('#status:text-is("live by polling")');
  await page.waitForSelector('#agents td:text-is("echo-polled")');
  await until('a tile', async () => Number(await text(page, '#tile-agents')) >= 1);
  equal(problems, [], 'errors in the page');
  await echo.stop();
  await context.close();
});

test('dashboard: a broker that is gone is told, and back again so is the page', () => withBroker(async (broker) => {
  const {context, page} = await visit(`${broker.http}/`);
  await connectForm(page, broker.token);
  await page.waitForSelector('#own-note:has-text("Connected by WebTransport")');
  await broker.stop();
  await page.waitForSelector('#alert:has-text("The broker cannot be reached since "):has-text(": nobody answers. This page keeps trying")');
  await page.waitForSelector('#status:text-is("broker unreachable")');
  await page.waitForSelector('#agents-note:has-text("The list is not current: nobody answers.")');
  await page.waitForSelector('#own-note:has-text("Trying again"), #own-note:has-text("Connecting again")');
  await broker.start();
  await page.waitForSelector('#alert', {state: 'hidden'});
  await page.waitForSelector('#status[data-state=good]');
  await page.waitForSelector('#own-note:has-text("Connected by WebTransport")', {timeout: 60_000});
  await page.waitForSelector('#agents td:has-text("dashboard-")');
  await context.close();
}));

test('dashboard: hundreds of agents are paged, searched and sorted', () => withBroker(async (broker) => {
  const crowd = broker.load('crowd', 150, 1);
  const {context, page} = await visit(`${broker.http}/`);
  const note = (words) => page.waitForSelector(`#agents-note:text-is("${words}")`, {timeout: 60_000});
  await note('1–25 of 302 agents');
  const rows = () => page.$$eval('#agents tbody tr td:first-child', (cells) => cells.map((c) => c.textContent));
  const first = await rows();
  equal([first.length, await text(page, '#agents-page'), await page.isDisabled('#agents-previous')], [25, 'page 1 of 13', true], 'first page');
  await page.click('#agents-next');
  await note('26–50 of 302 agents');
  equal((await rows()).some((id) => first.includes(id)), false, 'an agent on both pages');
  await page.fill('#agents-search', 'crowd-r14');
  await note('11 of 302 agents');
  equal(await rows(), ['14', ...Array.from({length: 10}, (_, i) => `14${i}`)].map((n) => `crowd-r${n}`), 'found, in the order of numbers');
  await page.fill('#agents-search', 'nothing like it');
  await note('None of 302 agents matches the search.');
  await page.fill('#agents-search', '');
  await page.focus('#agents th[data-key=id] button');
  await page.keyboard.press('Enter');
  equal([(await rows())[0], await page.getAttribute('#agents th[data-key=id]', 'aria-sort')], ['crowd-w149', 'descending'], 'sorted by the keyboard');
  await fits(page, [390, 1280]);
  await crowd.stop();
  await context.close();
}));

test('dashboard: fits a phone and a desktop, can be read in dark and light, and every control has a name', async () => {
  const {context, page, problems} = await dashboard();
  await page.waitForSelector('#status:text-is("live by polling")');
  await fits(page);
  await isReadable(page);
  await isLabelled(page);
  await connectForm(page, env('QMS_TOKEN'));
  await page.waitForSelector('#own-note:has-text("Connected by WebTransport")');
  await page.waitForSelector('#agents td:has-text("dashboard-")');
  await fits(page, [320, 390]);
  await isReadable(page);
  await page.evaluate(() => { // as when the broker is gone
    document.querySelector('#alert').hidden = false;
    document.querySelector('#alert').textContent = 'words';
  });
  await isReadable(page);
  equal(problems, [], 'errors in the page');
  await context.close();
});

test('dashboard: everything comes from the broker, under a strict policy', async () => {
  const {context, page} = await visit('about:blank');
  const hosts = new Set();
  page.on('request', (r) => hosts.add(new URL(r.url()).origin));
  const answer = await page.goto(`${env('QMS_HTTP')}/`);
  await page.waitForSelector('#status:text-is("live by polling")');
  equal([...hosts], [env('QMS_HTTP')], 'origins that were asked');
  const policy = answer.headers()['content-security-policy'];
  equal([/default-src 'self'/.test(policy), /unsafe-inline|unsafe-eval'|\*/.test(policy.replace("'wasm-unsafe-eval'", ''))], [true, false], policy);
  equal([answer.headers()['cross-origin-opener-policy'], answer.headers()['cross-origin-resource-policy'], answer.headers()['x-frame-options']],
    ['same-origin', 'same-origin', 'DENY'], 'isolation');
  await context.close();
});
