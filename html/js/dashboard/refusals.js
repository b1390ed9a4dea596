// SPDX-License-Identifier: MIT
// The table of refusals: where, for what reason, how often.
import {$, element, setText} from '../dom.js';
import {count} from '../format.js';
import {REFUSALS} from './history.js';

const WHERE = {handshake: 'TLS handshake', connection: 'Connection', credential: 'Credential', session: 'WebTransport session',
  stream: 'Stream'};

function rows(history, seconds) {
  const out = [];
  for (const [what, name] of Object.entries(REFUSALS)) {
    const recent = history.grown(name, seconds);
    for (const [reason, total] of history.last.by(name, 'reason')) {
      if (total > 0) out.push({where: WHERE[what], reason: reason.replaceAll('_', ' '), recent: recent.get(reason) ?? 0, total});
    }
  }
  return out.sort((a, b) => b.recent - a.recent || b.total - a.total);
}

export function showRefusals(history, seconds, windowName) {
  const all = rows(history, seconds);
  const cell = (label, text, className = '') => element('td', {textContent: text, className, data: {label}});
  $('refusals').hidden = all.length === 0;
  $('refusals').tBodies[0].replaceChildren(...all.map((r) => element('tr', {}, cell('Where', r.where),
    cell('Reason', r.reason), cell(`Last ${windowName}`, count(r.recent), 'number'), cell('Since start', count(r.total), 'number'))));
  setText($('refusals-recent'), `Last ${windowName}`);
  setText($('refusals-note'), all.length === 0 ? 'Nothing and nobody has been refused since the broker started.' : '');
}
