// SPDX-License-Identifier: MIT
// The lists that the dashboard shows: agents, and streams that are open.
import {element} from '../dom.js';
import {count, duration, size} from '../format.js';
import {nearest} from '../priorities.js';
import {ListTable} from './table.js';

const CARRIERS = {quic: 'QUIC', webtransport: 'WebTransport'};
const link = (href, textContent) => element('a', {href, textContent});

export const agents = () => new ListTable({
  key: 'agents', path: '/api/v1/agents', title: 'Agents', noun: 'agent', nouns: 'agents', empty: 'No agent is connected.',
  help: ['An agent connects with the library, with ', element('code', {textContent: 'quicms-agent --url quic://HOST:PORT --id NAME listen'}),
    ', or as a page: try ', link('/agent/', 'Agent'), ' or the ', link('/demo/', 'Demo'), '.'],
  columns: [
    {key: 'id', label: 'Agent', value: (a) => a.id},
    {key: 'carrier', label: 'Carrier', value: (a) => CARRIERS[a.carrier] ?? a.carrier},
    {key: 'address', label: 'Address', value: (a) => a.address},
    {key: 'connected_for', label: 'Connected', number: true, value: (a) => a.connected_for, show: (a) => duration(a.connected_for)},
    {key: 'streams', label: 'Streams', number: true, value: (a) => a.streams, show: (a) => count(a.streams)},
    {key: 'bytes_in', label: 'Sent', number: true, value: (a) => a.bytes_in, show: (a) => size(a.bytes_in)},
    {key: 'bytes_out', label: 'Received', number: true, value: (a) => a.bytes_out, show: (a) => size(a.bytes_out)},
    {key: 'rtt', label: 'RTT', number: true, value: (a) => a.rtt, show: (a) => (a.rtt > 0 ? duration(a.rtt) : '–')},
  ],
});

function level(stream) {
  const swatch = element('i', {className: 'swatch', attributes: {'aria-hidden': 'true'}});
  swatch.style.background = `var(--p-${nearest(stream.priority)})`;
  return element('span', {className: 'level'}, swatch, `${nearest(stream.priority)}, ${stream.priority}`);
}

export const streams = () => new ListTable({
  key: 'streams', path: '/api/v1/streams', title: 'Streams that are open', noun: 'stream', nouns: 'streams',
  empty: 'No stream is open at this moment.',
  columns: [
    {key: 'agent', label: 'From', value: (s) => s.agent ?? ''},
    {key: 'target', label: 'To', value: (s) => `${s.kind}:${s.target ?? ''}${s.peer && s.peer !== s.target ? ` (${s.peer})` : ''}`},
    {key: 'ways', label: 'Ways', value: (s) => (s.bidirectional ? 'both' : 'one')},
    {key: 'priority', label: 'Priority', number: true, value: (s) => s.priority, show: level},
    {key: 'open_for', label: 'Open for', number: true, value: (s) => s.open_for, show: (s) => duration(s.open_for)},
    {key: 'bytes_received', label: 'Sent', number: true, value: (s) => s.bytes_received, show: (s) => size(s.bytes_received)},
    {key: 'bytes_sent', label: 'Received', number: true, value: (s) => s.bytes_sent, show: (s) => size(s.bytes_sent)},
  ],
});
