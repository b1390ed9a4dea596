// SPDX-License-Identifier: MIT
// Agents written in C: one source built for Linux and for a page, and the blocking layer in a page.
import {execFile} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {promisify} from 'node:util';
import {env, equal, openPage, program, test, until} from './lib.mjs';
import {shared} from './shared.mjs';

const SOURCE = fileURLToPath(new URL('../..', import.meta.url));
const BUILD = env('QUICMS_BUILD');

/** Compiles and links with what `make install` installs, into a module below /test/c/. */
async function emcc(source, library, name, ...flags) {
  mkdirSync(join(env('QMS_ROOT'), 'test/c'), {recursive: true});
  await promisify(execFile)('emcc', ['-O1', '-I', join(SOURCE, 'include'), '-I', join(BUILD, 'include'), join(SOURCE, source),
    join(BUILD, 'wasm', library), '--js-library', join(SOURCE, 'wasm/webtransport.js'), '-s', 'MODULARIZE=1', '-s', 'EXPORT_ES6=1',
    '-s', 'ENVIRONMENT=web,worker', '-s', 'ALLOW_MEMORY_GROWTH=1', ...flags, '-o', join(env('QMS_ROOT'), 'test/c', `${name}.js`)],
  {env: {...process.env, NODE_PATH: '/usr/share/nodejs'}});
}

const lines = (id, text) => [`agent: ${id}`, `answer: ${text}`, 'closed: ok, done'];

test('an agent in C, built for Linux, asks and prints the answer', async () => {
  const {code, out, err} = await program('examples/portable_agent', env('QMS_QUIC'), env('QMS_PIN'), env('QMS_TOKEN'),
    'c-linux', 'from Linux').done;
  equal([code, out.split('\n').filter(Boolean)], [0, lines('c-linux', 'from Linux')], `what it prints (${err})`);
});

test('the same source, built for a page, does the same there', async () => {
  await emcc('examples/portable_agent.c', 'libquicms-client.a', 'portable_agent');
  const page = await openPage(shared.browser);
  await page.evaluate(async (args) => {
    window.printed = [];
    const {default: start} = await import('/test/c/portable_agent.js');
    await start({arguments: args, print: (line) => printed.push(line), printErr: (line) => printed.push(line)});
  }, [env('QMS_WT'), env('QMS_PIN'), env('QMS_TOKEN'), 'c-page', 'from a page']);
  const printed = await until('it has closed', () => page.evaluate(() => printed.length >= 3 && printed));
  equal(printed, lines('c-page', 'from a page'), 'what it prints');
  await page.shut();
});

test('the blocking layer waits in a page, and refuses a second call meanwhile', async () => {
  await emcc('t/browser/ask.c', 'libquicms-client-sync.a', 'ask', '--no-entry', '-s', 'ASYNCIFY=1',
    '-s', 'ASYNCIFY_IMPORTS=qms_js_wait', '-s', 'EXPORTED_RUNTIME_METHODS=ccall,UTF8ToString,allocateUTF8', '-s', 'EXPORTED_FUNCTIONS=_malloc,_free');
  const page = await openPage(shared.browser);
  const got = await page.evaluate(async (args) => {
    const {default: start} = await import('/test/c/ask.js');
    const module = await start();
    const ask = async (text) => {
      const answer = module._malloc(100);
      const err = await module.ccall('ask', 'number', ['string', 'string', 'string', 'string', 'number'],
        [...args, text, answer], {async: true});
      return [err, err === 0 ? module.UTF8ToString(answer) : ''];
    };
    const first = ask('first');
    // Not by ccall, which takes every call for one that waits while another does.
    const second = module._ask(...[...args, 'second'].map(module.allocateUTF8), module._malloc(100));
    return [await first, second, await ask('third')];
  }, [env('QMS_WT'), env('QMS_PIN'), env('QMS_TOKEN')]);
  const STATE = 6;
  equal(got, [[0, 'first'], STATE, [0, 'third']], 'answers');
  await page.shut();
});
