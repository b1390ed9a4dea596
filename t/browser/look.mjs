// SPDX-License-Identifier: MIT
// What a page looks like, as far as a program can judge: nothing sticks out, and text stands out.
import {equal} from './lib.mjs';
import {shared} from './shared.mjs';

/** A fresh page of `url` whose errors and policy violations gather in `problems`. */
export async function visit(url, {prepare, ...options} = {}) {
  const context = await shared.browser.newContext(options);
  const page = await context.newPage();
  const problems = [];
  page.on('pageerror', (e) => problems.push(String(e)));
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) problems.push(m.text()); });
  if (prepare) await page.addInitScript(prepare);
  await page.goto(url);
  return {context, page, problems};
}

/** Runs in the page: what reaches beyond the right edge, unless something that scrolls holds it. */
function beyondTheEdge() {
  const width = document.documentElement.clientWidth;
  const held = (e) => e && (['auto', 'scroll', 'hidden'].includes(getComputedStyle(e).overflowX) || held(e.parentElement));
  const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > width + 0.5
    && e.checkVisibility() && !held(e.parentElement) && getComputedStyle(e).clipPath === 'none');
  return [...out.map((e) => `${e.tagName} ${e.id} ${e.className}`),
    ...(document.documentElement.scrollWidth > width ? [`the document is ${document.documentElement.scrollWidth} wide`] : [])];
}

/** At every width, no scrolling sideways. */
export async function fits(page, widths = [320, 390, 768, 1280]) {
  const before = page.viewportSize();
  for (const width of widths) {
    await page.setViewportSize({width, height: 844});
    await page.waitForTimeout(150); // graphs follow their cards
    equal(await page.evaluate(beyondTheEdge), [], `beyond the right edge at ${width} pixels`);
  }
  await page.setViewportSize(before);
}

/** Runs in the page: texts whose contrast with what is behind them is below WCAG's 4.5 (3 for large ones). */
function faintTexts() {
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1});
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    return pen.getImageData(0, 0, 1, 1).data;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (rgba(color)[3] === 255) return color;
    }
    return 'white';
  };
  const light = (color) => {
    const [r, g, b] = [...rgba(color)].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement;
    if (!node.textContent.trim() || !e.checkVisibility() || e.closest(':disabled, script')) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(style.color), light(behind(e))].sort((x, y) => y - x);
    const need = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5;
    if ((a + 0.05) / (b + 0.05) < need) faint.push(`${node.textContent.trim().slice(0, 40)}: ${((a + 0.05) / (b + 0.05)).toFixed(1)}`);
  }
  return faint;
}

/** In both schemes, every text can be read. */
export async function isReadable(page) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme});
    equal(await page.evaluate(faintTexts), [], `faint texts, ${colorScheme}`);
  }
}

/** Runs in the page: controls without a name. */
const namelessControls = () => [...document.querySelectorAll('input, select, textarea, button, a')].filter((e) => e.checkVisibility()
  && !(e.labels?.length || e.textContent.trim() || e.getAttribute('aria-label') || e.getAttribute('aria-labelledby'))).map((e) => e.outerHTML);

/** Every control says what it is, and the headings and landmarks are there. */
export async function isLabelled(page) {
  equal(await page.evaluate(namelessControls), [], 'controls without a name');
  equal(await page.evaluate(() => [document.querySelectorAll('h1').length, document.querySelectorAll('main').length, document.documentElement.lang]),
    [1, 1, 'en'], 'one heading, one main, a language');
}

/** How many pixels of a graph have a colour of the style sheet. */
export const pixelsOf = (page, chart, property) => page.evaluate(([name, color]) => {
  const canvas = document.querySelector(`[data-chart="${name}"] canvas`);
  if (!canvas) return -1;
  const probe = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
  probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(color).trim();
  probe.fillRect(0, 0, 1, 1);
  const want = probe.getImageData(0, 0, 1, 1).data;
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', {willReadFrequently: true});
  copy.drawImage(canvas, 0, 0);
  const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] > 200 && [0, 1, 2].every((k) => Math.abs(data[i + k] - want[k]) < 12)) found++;
  }
  return found;
}, [chart, property]);
