// SPDX-License-Identifier: MIT
// What the browser tests share: TAP, the browser, native agents as child processes.
import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {closeBrowsers, launchChromium, newPage} from './browsers.mjs';

const SLOW = Number(process.env.QMS_SLOW ?? 1); // stretches deadlines under instrumentation
const CASE_MS = 120_000 * SLOW;
const REPORTS = /ERROR: (Address|Leak)Sanitizer|runtime error:|Sanitizer:DEADLYSIGNAL/;
const cases = [];
const complaints = []; // of sanitizers in child processes

export {launchChromium as launch};

/** Registers a case: its name is the sentence that must be true. */
export const test = (name, body) => cases.push({name, body});

export function equal(got, want, what) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  if (a !== b) throw new Error(`${what}: got ${a}, want ${b}`);
}

export function env(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run t/browser/run`);
  return value;
}

export const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Polls until `condition()` gives something truthy, and returns it. */
export async function until(what, condition, seconds = 15) {
  const end = Date.now() + seconds * 1000 * SLOW;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds * SLOW} s`);
    await sleep(20);
  }
}

async function runCase({body}) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished after ${CASE_MS / 1000} s`)), CASE_MS);
  });
  try {
    await Promise.race([body(), late]);
    if (complaints.length > 0) throw new Error(complaints.splice(0).join('\n'));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Runs `setup` and, in order, the cases whose names contain a word of the command line, or all.
 * When setup fails, so does every case, with its reason.
 */
export async function run(setup) {
  const words = process.argv.slice(2);
  const wanted = cases.filter(({name}) => words.length === 0 || words.some((w) => name.includes(w)));
  console.log(`1..${wanted.length}`);
  const broken = await setup().then(() => undefined, (error) => error);
  let failed = 0;
  for (const [i, one] of wanted.entries()) {
    const from = Date.now();
    try {
      if (broken) throw broken;
      await runCase(one);
      console.log(`ok ${i + 1} - ${one.name} # ${((Date.now() - from) / 1000).toFixed(1)} s`);
    } catch (error) {
      failed++;
      console.log(`not ok ${i + 1} - ${one.name}`);
      console.log(String(error.stack).replace(/^/gm, '# '));
    }
  }
  await closeBrowsers();
  process.exit(failed ? 1 : 0); // what a failed case left behind must not keep us
}

/** Runs in the page: window.q = the package and what helps to test it. */
async function prepare() {
  window.q = await import('/test/inside.js');
}

/** A page of a broker's HTTP endpoint, in a browser context of its own. */
export async function openPage(browser, http = env('QMS_HTTP')) {
  const page = await newPage(browser, `${http}/`);
  await page.evaluate(prepare);
  return page;
}

/**
 * Connects the page as agent `id`: window.agent.  Datagrams and GOAWAYs gather in
 * window.datagrams and window.goaways; window.ended tells code and reason of the end.
 */
export function connectPage(page, id, {token = env('QMS_TOKEN'), url = env('QMS_WT'), ...options} = {}) {
  return page.evaluate(async ([to, settings]) => {
    Object.assign(window, {datagrams: [], goaways: []});
    window.agent = await q.connect(to, settings);
    window.nextStream = () => q.next(agent.incomingStreams);
    agent.addEventListener('goaway', ({detail}) => goaways.push([detail.error.code, detail.deadline]));
    (async () => { for await (const d of agent.incomingDatagrams) datagrams.push(d); })().catch(() => {});
    window.ended = agent.closed.then(({closeCode, reason}) => [closeCode, reason], (e) => e.name);
    return agent.id;
  }, [url, {id, token, certificateHashesUrl: '/api/v1/cert', reconnect: false, ...options}]);
}

/** openPage and connectPage. */
export async function agentPage(browser, id) {
  const page = await openPage(browser);
  await connectPage(page, id);
  return page;
}

/** A program of the build as a child process; `done` resolves with {code, out, err}. */
export function program(name, ...args) {
  const child = spawn(join(env('QUICMS_BUILD'), name), args, {stdio: ['pipe', 'pipe', 'pipe']});
  const state = {child, out: '', err: '', hash: createHash('sha256'), bytes: 0};
  child.stdout.on('data', (d) => {
    state.hash.update(d);
    state.bytes += d.length;
    if (state.out.length < 1 << 20) state.out += d;
  });
  child.stderr.on('data', (d) => { state.err += d; });
  child.stdin.on('error', () => {}); // a child that has ended tells by its status
  state.done = new Promise((resolve) => {
    child.on('close', (code) => {
      if (REPORTS.test(state.err)) complaints.push(state.err);
      resolve({code, out: state.out, err: state.err});
    });
  });
  state.lines = () => state.out.split('\n').filter(Boolean);
  state.stop = async () => {
    child.kill('SIGTERM');
    await state.done;
  };
  return state;
}

/** quicms-agent. */
export const native = (id, ...args) => program('quicms-agent', '--url', env('QMS_QUIC'),
  '--id', id, '--token', env('QMS_TOKEN'), '--pin', env('QMS_PIN'), ...args);

/** The broker's row of an agent, or undefined. */
export async function agentRow(id) {
  const {agents} = await (await fetch(`${env('QMS_HTTP')}/api/v1/agents`)).json();
  return agents.find((a) => a.id === id);
}

export const online = (id) => until(`${id} is online`, () => agentRow(id));
export const offline = (id) => until(`${id} is gone`, async () => !await agentRow(id));

/** What the broker has logged. */
export const brokerLog = () => readFileSync(env('QMS_LOG'), 'utf8');

export const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A directory that `body` may fill; removed afterwards. */
export async function withDirectory(body) {
  const path = mkdtempSync(join(tmpdir(), 'quicms-browser-'));
  try {
    return await body(path);
  } finally {
    rmSync(path, {recursive: true});
  }
}
