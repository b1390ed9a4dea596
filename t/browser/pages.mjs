// SPDX-License-Identifier: MIT
// Dashboard and demo in both browsers, by the few calls that pages of both have; what only Chromium
// is asked stands in dashboard.mjs and demo.mjs.
import {newPage} from './browsers.mjs';
import {env, equal, native, offline, online, test} from './lib.mjs';
import {shared} from './shared.mjs';

const open = (path) => newPage(shared.browser, env('QMS_HTTP') + path);

/** Waits until an element's text contains the words. */
const says = (page, selector, words) => page.waitForFunction(([s, w]) => document.querySelector(s)?.textContent.includes(w), ...pass(page, [selector, words]));

/** Arguments of waitForFunction, which stand elsewhere in either library. */
const pass = (page, argument) => (page.setViewport ? [{timeout: 60_000}, argument] : [argument, {timeout: 60_000}]);

const resize = (page, width, height) => (page.setViewport ? page.setViewport({width, height}) : page.setViewportSize({width, height}));

/** Fills the form's only password field and sends it. */
const submit = (page, form) => page.evaluate(([id, token]) => {
  const node = document.querySelector(id);
  node.querySelector('input[type=password]').value = token;
  node.requestSubmit();
}, [form, env('QMS_TOKEN')]);

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test('pages: the dashboard draws live graphs and is an agent itself, on a desktop and a phone', async () => {
  const echo = native('echo-pages', 'listen', '--echo');
  await online('echo-pages');
  const page = await open('/');
  await submit(page, '#own-form');
  await says(page, '#own-note', 'Connected by WebTransport as dashboard-');
  const id = await page.evaluate(() => /as (\S+)\.$/.exec(document.querySelector('#own-note').textContent)[1]);
  await online(id);
  await page.waitForFunction(() => document.querySelectorAll('#agents td').length >= 4 * 8, ...pass(page)); // with two pages of the tests
  await says(page, '#agents', 'echo-pages');
  await says(page, '#own-figures', 'Congestion window');
  // That of its own connection is the eighth.
  await page.waitForFunction(() => document.querySelectorAll('.plot canvas').length === 8, ...pass(page));
  const image = () => page.evaluate(() => document.querySelector('[data-chart=agents] canvas').toDataURL());
  const before = await image();
  await page.waitForFunction((old) => document.querySelector('[data-chart=agents] canvas').toDataURL() !== old, ...pass(page, before));
  for (const width of [1280, 390, 320]) {
    await resize(page, width, 844);
    await page.waitForFunction(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth, ...pass(page));
    equal(await overflow(page), 0, `scrolling sideways at ${width}`);
  }
  await page.close();
  await offline(id); // by its own word: an idle agent is kept for 30 s
  await page.shut();
  await echo.stop();
});

test('pages: in the demo urgent streams overtake, and a file arrives intact', async () => {
  const page = await open('/demo/');
  await submit(page, '#connect');
  await says(page, '#status', 'both connected');
  const runs = [];
  for (let i = 0; i < 3; i++) {
    await page.evaluate(() => {
      document.querySelector('#race-verdict').hidden = true;
      document.querySelector('#race').requestSubmit();
    });
    await page.waitForFunction(() => !document.querySelector('#race-verdict').hidden, ...pass(page));
    runs.push(await page.evaluate(() => ({...document.querySelector('#race-verdict').dataset})));
  }
  const sum = (key) => runs.reduce((all, run) => all + Number(run[key]), 0);
  equal([sum('priority') > sum('equal'), sum('share') < sum('equalShare')], [true, true], JSON.stringify(runs));
  await page.evaluate(() => {
    const files = new DataTransfer();
    files.items.add(new File([Uint8Array.from({length: 3_000_000}, (_, i) => (i * 7) >> 3)], 'bytes.bin'));
    document.querySelector('#right-file').files = files.files;
    document.querySelector('#right button[value=file]').click();
  });
  await says(page, '#right [role=status]', 'bytes.bin arrived there intact');
  await says(page, '#timeline', '3.0 MB');
  await resize(page, 390, 844);
  equal(await overflow(page), 0, 'scrolling sideways on a phone');
  await page.shut();
});
