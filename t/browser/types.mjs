// SPDX-License-Identifier: MIT
// The package as it is published: what npm packs, its types, and what it says outside of browsers.
import {execFile} from 'node:child_process';
import {mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {env, equal, test, withDirectory} from './lib.mjs';

const run = promisify(execFile);
const PACKAGE = join(env('QUICMS_BUILD'), 'wasm/package');
const USER = `
import {connect, Priority, QuicmsError, type Agent, type Stream} from '@quicms/client';
const agent: Agent = await connect('https://127.0.0.1:4433/quicms', {id: 'a', token: () => 't', reconnect: {min: 1},
  certificateHashesUrl: '/api/v1/cert', signal: AbortSignal.timeout(1000)});
const stream: Stream = agent.openStream({kind: 'service', name: 'echo'}, {priority: Priority.HIGH, meta: new Uint8Array(1)});
await new Blob(['x']).stream().pipeTo(stream.writable);
for await (const incoming of agent.incomingStreams) incoming.reject(8, incoming.source);
for await (const {agent: who, state} of agent.watch('a')) if (state === 'online') console.log(who.length);
const members = agent.join('group:g', {weight: 2});
await members.ready;
for await (const s of members) s.setPriority({reverse: 3});
for await (const s of agent.join('topic:t', {slowPolicy: 'drop'})) s.addEventListener('skipped', ({detail}) => detail.messages.toFixed());
agent.addEventListener('reconnecting', ({detail}) => console.log(detail.error.by, detail.delay.toFixed()));
const figures = await agent.stats();
const rtt: number | undefined = figures['rtt_smoothed_us'];
try {
  await agent.send('b', 'x', {contentType: 'text/plain'});
} catch (error) {
  if (error instanceof QuicmsError && error.code === 7) console.log(error.name, error.by === 'peer', rtt);
}
// @ts-expect-error a priority is a number
agent.openStream('b', {priority: 'high'});
// @ts-expect-error there is no such policy
agent.join('topic:t', {slowPolicy: 'wait'});
// @ts-expect-error there is no such kind
agent.openStream({kind: 'agents', name: 'b'});
// @ts-expect-error errors are made by the package only
new QuicmsError('x');
`;

/** A folder that has the package installed. */
const withPackage = (body) => withDirectory(async (dir) => {
  mkdirSync(join(dir, 'node_modules/@quicms'), {recursive: true});
  symlinkSync(PACKAGE, join(dir, 'node_modules/@quicms/client'));
  writeFileSync(join(dir, 'package.json'), '{"type": "module"}');
  return body(dir);
});

test('the types hold what tsc --strict makes of a user of the package', () => withPackage(async (dir) => {
  writeFileSync(join(dir, 'user.ts'), USER);
  const tsc = new URL('./node_modules/typescript/bin/tsc', import.meta.url).pathname;
  const said = await run('node', [tsc, '--strict', '--noEmit', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess',
    '--target', 'es2022', '--module', 'nodenext', '--moduleResolution', 'nodenext', '--lib', 'es2024,dom,dom.iterable,dom.asynciterable,esnext.disposable',
    'user.ts'], {cwd: dir}).then(() => '', (e) => e.stdout);
  equal(said, '', 'what tsc says');
}));

test('npm pack takes what the package needs, types first, and nothing else', async () => {
  const {stdout} = await run('npm', ['pack', '--dry-run', '--json'], {cwd: PACKAGE});
  const [{name, files}] = JSON.parse(stdout);
  equal([name, files.map((f) => f.path).sort()], ['@quicms/client', ['LICENSE', 'README.md', 'agent.js', 'core.js', 'errors.js',
    'index.d.ts', 'index.js', 'package.json', 'queue.js', 'quicms-core.js', 'quicms-core.wasm', 'stream.js']], 'files');
});

test('in Node.js connect says that there is no WebTransport', () => withPackage(async (dir) => {
  writeFileSync(join(dir, 'user.js'), `import {connect, QuicmsError} from '@quicms/client';
    try { await connect('https://127.0.0.1:4433/quicms'); } catch (e) {
      console.log(e instanceof QuicmsError, e.name, e.by, e.message); }`);
  const {stdout} = await run('node', ['user.js'], {cwd: dir});
  if (!/^true unsupported_here program WebTransport is not there: .*Node\.js/.test(stdout)) throw new Error(`it says: ${stdout}`);
}));

test('what a page loads is at most 60 kB gzipped', async () => {
  const {stdout} = await run(new URL('../../scripts/check-wasm-size', import.meta.url).pathname, [PACKAGE]);
  console.log(`# ${stdout.trim()}`);
});
