// SPDX-License-Identifier: MIT
// The table of transfers in the order of their arrival: each a bar from start to arrival, all on one
// scale, so that what overtook what is seen.
import {$, element, setText} from '../js/dom.js';
import {duration, size} from '../js/format.js';
import {nearest} from '../js/priorities.js';

const KEPT = 12;
const transfers = [];

function bar(transfer, from, until) {
  const mark = element('i');
  mark.style.left = `${(100 * (transfer.from - from)) / (until - from)}%`;
  mark.style.width = `${(100 * (transfer.until - transfer.from)) / (until - from)}%`;
  mark.style.background = `var(--p-${nearest(transfer.priority)})`;
  return element('span', {className: 'track', attributes: {role: 'img',
    'aria-label': `started ${duration((transfer.from - from) / 1000)} after the first, arrived ${duration((transfer.until - from) / 1000)} after it`}}, mark);
}

function row(transfer, from, until) {
  const cell = (label, content, className = '') => element('td', {className, data: {label}}, content);
  const name = nearest(transfer.priority);
  const swatch = element('i', {className: 'swatch', attributes: {'aria-hidden': 'true'}});
  swatch.style.background = `var(--p-${name})`;
  return element('tr', {}, cell('What', transfer.what), cell('Priority', element('span', {className: 'level'}, swatch, name)),
    cell('Size', size(transfer.bytes), 'number'), cell('Took', duration((transfer.until - transfer.from) / 1000), 'number'),
    cell('From start to arrival', bar(transfer, from, until), 'span'));
}

/** Adds a transfer: {what, priority, bytes, from, until} in milliseconds of performance.now(). */
export function addTransfer(transfer) {
  transfers.push(transfer);
  if (transfers.length > KEPT) transfers.shift();
  const from = Math.min(...transfers.map((t) => t.from));
  const until = Math.max(...transfers.map((t) => t.until));
  $('timeline').hidden = false;
  $('timeline').tBodies[0].replaceChildren(...transfers.map((t) => row(t, from, Math.max(until, from + 1))));
  setText($('timeline-note'), `The first is above; ${duration((until - from) / 1000)} from the first start to the last arrival.`);
}
