// SPDX-License-Identifier: MIT
// The page itself, and the files over HTTP/3.
import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {env, equal, launch, native, offline, online, test} from './lib.mjs';
import {visit} from './look.mjs';

async function connectForm(page, id) {
  await page.fill('#id', id);
  await page.fill('#token', env('QMS_TOKEN'));
  await page.click('#connect-button');
  await page.waitForSelector(`#status:text-is("connected as ${id}")`);
}

test('the form of the page finds its broker, connects, sends and shows what came', async () => {
  const {context, page, problems} = await visit(`${env('QMS_HTTP')}/agent/`);
  const echo = native('echo-4', 'listen', '--echo');
  await online('echo-4');
  await page.waitForFunction((url) => document.querySelector('#url').value === url, env('QMS_WT'));
  await connectForm(page, 'form-page');
  await page.click('#agents button:text-is("echo-4")');
  equal(await page.inputValue('#target'), 'echo-4', 'target chosen from the list');
  await page.fill('#text', 'typed by hand');
  await page.click('button[value=request]');
  await page.waitForSelector('text=echo-4 answered 13 B');
  await page.waitForSelector('text=“typed by hand”');
  await native('form-asker', 'request', 'agent:form-page', 'from outside').done;
  await page.waitForSelector('text=request from form-asker, 12 B: “from outside”');
  await page.click('button[value=datagram]');
  await page.waitForSelector('text=datagram to echo-4, 13 B');
  await page.click('#disconnect-button');
  await page.waitForSelector('#status:text-is("closed: bye")');
  equal(await page.isDisabled('button[value=request]'), true, 'sending without a connection');
  await offline('form-page');
  await echo.stop();
  equal(problems, [], 'errors in the page');
  await context.close();
});

test('a file chosen in the page arrives whole, and what arrives can be saved whole', async () => {
  const {context, page, problems} = await visit(`${env('QMS_HTTP')}/agent/`, {acceptDownloads: true});
  const bytes = Buffer.from(Array.from({length: 100_000}, (_, i) => (i * 7) & 0xff));
  const echo = native('echo-5', 'listen', '--echo');
  await online('echo-5');
  await connectForm(page, 'file-page');
  await page.fill('#target', 'echo-5');
  await page.setInputFiles('#file', {name: 'bytes', mimeType: 'application/octet-stream', buffer: bytes});
  await page.click('button[value=request]');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#log a:text-is("save")')]);
  equal(download.suggestedFilename(), 'from-echo-5.bin', 'name');
  equal(readFileSync(await download.path()).equals(bytes), true, 'same bytes');
  await echo.stop();
  equal(problems, [], 'errors in the page');
  await context.close();
});

test('the form says why it was refused, and can be used again', async () => {
  const {context, page} = await visit(`${env('QMS_HTTP')}/agent/`);
  await page.fill('#token', 'wrong');
  await page.click('#connect-button');
  await page.waitForSelector('#status[data-state=bad]');
  const said = await page.textContent('#status');
  if (!/^refused: .*unauthenticated/.test(said)) throw new Error(`it says: ${said}`);
  await connectForm(page, 'form-again');
  await context.close();
});

test('the page fits a phone and a desktop without scrolling sideways, with many agents too', async () => {
  const {context, page} = await visit(`${env('QMS_HTTP')}/agent/`);
  const long = native(`agent-${'with-a-very-long-name'.repeat(5)}`, 'listen');
  await page.waitForSelector('#agents button:has-text("agent-with-a-very-long-name")', {timeout: 15_000});
  for (const width of [320, 390, 768, 1280]) {
    await page.setViewportSize({width, height: 800});
    const overflow = await page.evaluate(() => [...document.querySelectorAll('*')].filter((e) => e.id !== 'log'
      && e.tagName !== 'THEAD' && e.tagName !== 'TR' && e.tagName !== 'TH' && e.tagName !== 'OPTION'
      && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map((e) => e.tagName + e.id));
    equal(overflow, [], `elements beyond the right edge at ${width} pixels`);
    equal(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), true, `width ${width}`);
  }
  await long.stop();
  await context.close();
});

/** Chromium that speaks HTTP/3 to the broker at `address` from the first request on. */
const overHttp3 = (address, spki) => launch([`--origin-to-force-quic-on=${address}`,
  `--ignore-certificate-errors-spki-list=${spki}`]);

test('plain GET over HTTP/3 serves the files below html', async () => {
  const address = new URL(env('QMS_WT')).host;
  const forced = await overHttp3(address, env('QMS_SPKI'));
  const page = await (await forced.newContext()).newPage();
  const response = await page.goto(`https://${address}/agent/`);
  equal(response.status(), 200, 'status');
  equal(await page.title(), 'quicms · agent', 'title');
  equal(await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), 'h3', 'protocol');
  await page.waitForSelector('#status:text-is("not connected")');
  equal((await page.goto(`https://${address}/absent`)).status(), 404, 'status of an absent file');
  equal(await page.textContent('body'), '404 Not Found\n', 'what it says');
  await forced.close();
});

test('a file is the same over HTTP/1.1 and HTTP/3, with the same type, policy and caching', async () => {
  const address = new URL(env('QMS_WT')).host;
  const forced = await overHttp3(address, env('QMS_SPKI'));
  const page = await (await forced.newContext()).newPage();
  const fetched = {};
  const fields = ['content-type', 'content-length', 'cache-control', 'content-security-policy', 'x-content-type-options',
    'referrer-policy', 'cross-origin-opener-policy', 'cross-origin-resource-policy', 'x-frame-options', 'permissions-policy'];
  const types = {'/': 'text/html; charset=utf-8', '/style.css': 'text/css; charset=utf-8',
    '/agent/': 'text/html; charset=utf-8', '/agent/agent.js': 'text/javascript; charset=utf-8', '/icon.svg': 'image/svg+xml'};
  for (const origin of [env('QMS_HTTP'), `https://${address}`]) {
    await page.goto(`${origin}/`);
    fetched[origin] = await page.evaluate(async ([paths, names]) => Promise.all(paths.map(async (path) => {
      const answer = await fetch(path, {cache: 'no-store'});
      const bytes = new Uint8Array(await crypto.subtle.digest('SHA-256', await answer.arrayBuffer()));
      return {path, status: answer.status, hash: Array.from(bytes), fields: names.map((n) => answer.headers.get(n))};
    })), [Object.keys(types), fields]);
  }
  const [plain, h3] = Object.values(fetched);
  equal(h3, plain, 'answers over HTTP/3');
  for (const {path, status, hash, fields: values} of plain) {
    const file = readFileSync(new URL(`../../html${path.endsWith('/') ? `${path}index.html` : path}`, import.meta.url));
    equal([status, values[0], values[1]], [200, types[path], String(file.length)], path);
    equal(hash, Array.from(createHash('sha256').update(file).digest()), `bytes of ${path}`);
    if (values.some((v) => v === null)) throw new Error(`${path} lacks a field: ${JSON.stringify(values)}`);
  }
  await forced.close();
});

test('with a certificate from files the page connects without hashes, from both kinds of origin', async () => {
  const address = new URL(env('QMS_FILES_WT')).host;
  const forced = await overHttp3(address, env('QMS_FILES_SPKI'));
  for (const origin of [env('QMS_FILES_HTTP'), `https://${address}`]) {
    const page = await (await forced.newContext()).newPage();
    await page.goto(`${origin}/agent/`);
    equal(await page.evaluate(async (url) => typeof await (await import('/js/broker.js')).certificateHashes(url),
      env('QMS_FILES_WT')), 'undefined', `hashes at ${origin}`);
    await page.fill('#url', env('QMS_FILES_WT'));
    await page.fill('#id', 'trusting');
    await page.fill('#token', env('QMS_FILES_TOKEN'));
    await page.click('#connect-button');
    await page.waitForSelector('#status:text-is("connected as trusting")');
    await page.context().close();
  }
  await forced.close();
});
