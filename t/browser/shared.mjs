// SPDX-License-Identifier: MIT
// The browser and the two pages that most cases use: agents "page-a" and "page-b".
import {launchBrowser} from './browsers.mjs';
import {connectPage, openPage} from './lib.mjs';

export const shared = {}; // browser, a, b

export async function setup() {
  shared.browser = await launchBrowser();
  for (const name of ['a', 'b']) {
    shared[name] = await openPage(shared.browser);
    await connectPage(shared[name], `page-${name}`);
  }
}
