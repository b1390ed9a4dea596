// SPDX-License-Identifier: MIT
// The browser under test: QMS_BROWSER is chromium (playwright-core) or firefox (puppeteer-core over
// WebDriver BiDi).  Pages of both have the few calls that the cases use: evaluate, evaluateHandle,
// waitForFunction, goto, reload, close, and shut(), which ends the page's browser context.
import {existsSync} from 'node:fs';
import {chromium} from 'playwright-core';
import puppeteer from 'puppeteer-core';

export const NAME = process.env.QMS_BROWSER ?? 'chromium';
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const browsers = [];

function mustBeThere(path, what) {
  if (!existsSync(path)) throw new Error(`${path} is missing: apt-get install ${what}`);
}

/** Headless Chromium with a fresh profile. */
export async function launchChromium(extra = []) {
  mustBeThere(CHROMIUM, 'chromium');
  const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', ...extra],
  });
  browsers.push(browser);
  return browser;
}

/** Stock Firefox: no preference is changed. */
async function launchFirefox() {
  mustBeThere(FIREFOX, 'firefox-esr');
  const browser = await puppeteer.launch({browser: 'firefox', executablePath: FIREFOX, headless: true});
  browsers.push(browser);
  return browser;
}

export const launchBrowser = () => (NAME === 'firefox' ? launchFirefox() : launchChromium());
export const closeBrowsers = () => Promise.all(browsers.map((b) => b.close()));

/** A page of `url` in a browser context of its own. */
export async function newPage(browser, url) {
  const context = await (NAME === 'firefox' ? browser.createBrowserContext() : browser.newContext());
  const page = await context.newPage();
  await page.goto(url);
  page.shut = () => context.close();
  return page;
}
