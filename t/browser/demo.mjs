// SPDX-License-Identifier: MIT
// The demo: two agents in one page that race, and send each other files, messages and datagrams.
import {readFileSync} from 'node:fs';
import {env, equal, test, until} from './lib.mjs';
import {fits, isLabelled, isReadable, pixelsOf, visit} from './look.mjs';
import {withBroker} from './own_broker.mjs';

const bytesOf = (length) => Buffer.from(Uint32Array.from({length: length / 4}, (_, i) => Math.imul(i + 1, 2654435761)).buffer);

async function connected(page, token = env('QMS_TOKEN')) {
  await page.fill('#token', token);
  await page.click('#connect button');
  await page.waitForSelector('#status:text-is("both connected")');
}

const demo = async (options, http = env('QMS_HTTP')) => visit(`${http}/demo/`, options);

const sendFile = async (page, side, name, buffer, priority) => {
  await page.setInputFiles(`#${side}-file`, {name, mimeType: 'application/octet-stream', buffer});
  await page.selectOption(`#${side}-priority`, priority);
  await page.click(`#${side} button[value=file]`);
};

test('demo: the race shows urgent streams overtaking, which they do not where all are equal', async () => {
  const {context, page, problems} = await demo();
  await connected(page);
  const runs = [];
  for (let i = 0; i < 3; i++) {
    await page.evaluate(() => { document.querySelector('#race-verdict').hidden = true; });
    await page.click('#race button');
    await page.waitForSelector('#race-verdict:visible', {timeout: 60_000});
    const d = await page.$eval('#race-verdict', (e) => ({...e.dataset}));
    runs.push({pairs: Number(d.priority), equalPairs: Number(d.equal), share: Number(d.share), equalShare: Number(d.equalShare)});
  }
  const told = JSON.stringify(runs);
  const sum = (key) => runs.reduce((all, r) => all + r[key], 0);
  equal([sum('pairs') > sum('equalPairs'), sum('pairs') >= 24, sum('share') < 0.8 * sum('equalShare')], [true, true, true], told);
  for (const level of ['critical', 'background']) {
    equal([await pixelsOf(page, 'race-priority', `--p-${level}`) > 50, await pixelsOf(page, 'race-equal', `--p-${level}`) > 50], [true, true], `lines of ${level}`);
  }
  equal(await page.locator('#race-table tbody tr').count(), 5, 'rows');
  equal(problems, [], 'errors in the page');
  console.log(`# ${told}`);
  await context.close();
});

test('demo: files arrive intact both ways, and a message overtakes a file', async () => {
  const {context, page, problems} = await demo({acceptDownloads: true});
  await connected(page);
  const big = bytesOf(20_000_000);
  await sendFile(page, 'left', 'big.bin', big, 'background');
  await page.fill('#left-text', 'are you there?');
  await page.selectOption('#left-priority', 'critical');
  await page.click('#left button[value=text]');
  await page.waitForSelector('#right .arrived li:has-text("“are you there?”")');
  await page.waitForSelector('#left .note:has-text("big.bin arrived there intact")', {timeout: 60_000});
  equal(await page.$$eval('#timeline tbody tr', (rows) => rows.map((r) => [...r.cells].slice(0, 3).map((c) => c.textContent))),
    [['→ message', 'critical', '14 B'], ['→ big.bin', 'background', '20 MB']], 'order of arrival');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#right a:text-is("save big.bin")')]);
  equal(readFileSync(await download.path()).equals(big), true, 'the saved file');
  const small = bytesOf(1000);
  await sendFile(page, 'right', 'small.bin', small, 'high');
  await page.waitForSelector('#right .note:has-text("small.bin arrived there intact")');
  const [second] = await Promise.all([page.waitForEvent('download'), page.click('#left a:text-is("save small.bin")')]);
  equal(readFileSync(await second.path()).equals(small), true, 'the saved file of the other side');
  equal(problems, [], 'errors in the page');
  await context.close();
});

test('demo: datagrams arrive and are counted', async () => {
  const {context, page} = await demo();
  await connected(page);
  await page.click('#right button[value=datagrams]');
  await page.waitForSelector('#right .note:has-text("100 datagrams sent")');
  await until('most of a hundred arrive', async () => Number(/^(\d+) of 100 datagrams arrived, half of them within [\d.]+ [µm]?s$/
    .exec(await page.textContent('#left .arrived li'))?.[1]) >= 80);
  await context.close();
});

test('demo: says why it cannot connect, that the broker is gone, and connects again', () => withBroker(async (broker) => {
  const {context, page} = await demo({}, broker.http);
  equal(await page.isDisabled('#race button'), true, 'a race without agents');
  await page.fill('#token', 'wrong');
  await page.click('#connect button');
  await page.waitForSelector('#connect-error:has-text("Not connected:"):has-text("unauthenticated")');
  await connected(page, broker.token);
  equal([await page.isVisible('#connect-error'), await page.evaluate(() => localStorage.length)], [false, 0], 'complaint, what stays');
  const id = await page.textContent('#left h2 small');
  await broker.online(id);
  await broker.stop();
  await page.waitForSelector('#connect-error:has-text("The connection ended")');
  equal([await page.isDisabled('#race button'), await page.isDisabled('#left button[value=file]'), await page.isVisible('#connect')],
    [true, true, true], 'buttons, and the form');
  await broker.start();
  await page.click('#connect button');
  await page.waitForSelector('#status:text-is("both connected")');
  await context.close();
}));

test('demo: without WebTransport it says so', async () => {
  const {context, page} = await demo({prepare: () => { delete window.WebTransport; }});
  await page.waitForSelector('#connect-error:has-text("The demo needs two agents. This browser has no WebTransport.")');
  equal(await page.isVisible('#connect'), false, 'a form that could do nothing');
  await context.close();
});

test('demo: fits a phone and a desktop, can be read in dark and light, and every control has a name', async () => {
  const {context, page, problems} = await demo();
  await fits(page);
  await isReadable(page);
  await connected(page);
  await page.selectOption('#race-size', '1000000');
  await page.click('#race button');
  await page.waitForSelector('#race-verdict:visible');
  await sendFile(page, 'left', `${'a-long-name-'.repeat(12)}.bin`, bytesOf(1000), 'low');
  await page.waitForSelector('#left .note:has-text("arrived there intact")');
  await fits(page);
  await isReadable(page);
  await isLabelled(page);
  equal(problems, [], 'errors in the page');
  await context.close();
});
