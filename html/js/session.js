// SPDX-License-Identifier: MIT
// What a tab remembers: the token stays in sessionStorage, which ends with the tab, and is written
// nowhere else.
const TOKEN = 'quicms-token';
const CONNECT = 'quicms-connect';

/** Storage may be forbidden to a page; it then remembers nothing. */
function storage(use) {
  try {
    return use(window.sessionStorage);
  } catch {
    return undefined;
  }
}

export const token = () => storage((s) => s.getItem(TOKEN)) ?? '';
/** Whether the page was connected when it was left, and should be again. */
export const wasConnected = () => storage((s) => s.getItem(CONNECT)) === 'yes';

export function remember(value) {
  storage((s) => {
    s.setItem(CONNECT, 'yes');
    if (value) s.setItem(TOKEN, value);
    else s.removeItem(TOKEN);
  });
}

export function forget() {
  storage((s) => {
    s.removeItem(CONNECT);
    s.removeItem(TOKEN);
  });
}

/** A name for this page that no other has: "PREFIX-x7k2q9". */
export const freshId = (prefix) => `${prefix}-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
