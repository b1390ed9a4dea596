// SPDX-License-Identifier: MIT
// Reset, stop and refusal codes: a byte of the wire protocol, mapped into HTTP/3's space and back.
import {env, equal, native, online, program, test, until} from './lib.mjs';
import {NAME} from './browsers.mjs';
import {shared} from './shared.mjs';

const ALL = Array.from({length: 256}, (_, i) => i);
// Firefox ESR 153 does not tell a reader the code of a reset: it is CANCELLED then, unless the
// writer was told.  It has no way to stop with code 0.
const FIREFOX = NAME === 'firefox';
const resetSeen = (code, got) => (FIREFOX && got === 0x12 ? got : code);
const stopSeen = (code) => (FIREFOX && code === 0 ? 0x12 : code);
const SOME = [0, 1, 0x0d, 0x12, 0x1d, 0x1e, 0x1f, 0x7f, 0x80, 0x9d, 0xd3, 0xfe, 0xff];

/** Every code that came out as another, as [sent, got]. */
const wrong = (sent, got) => sent.map((code, i) => [code, got[i]]).filter(([a, b]) => a !== b);

let started = 0;

/** A case with an agent quicms-codes: `body` gets its id and the process. */
const withCodes = (name, body) => test(name, async () => {
  // An id of its own: the broker may still list the one before.
  const id = `codes-${++started}`;
  const codes = program('quicms-codes', env('QMS_QUIC'), env('QMS_PIN'), env('QMS_TOKEN'), id);
  await online(id);
  try {
    await body(id, codes);
  } finally {
    codes.child.stdin.end();
  }
  const {code, err} = await codes.done;
  equal(code, 0, `exit status of quicms-codes (${err})`);
});

test('reset codes of one page arrive at the other', async () => {
  for (const code of SOME) {
    const seen = shared.b.evaluate(async () => {
      const stream = await nextStream();
      stream.accept();
      return q.codeOf(q.readAll(stream.readable));
    });
    await shared.a.evaluate(async (c) => {
      const stream = await agent.openStream('page-b');
      await stream.result;
      const writer = stream.writable.getWriter();
      await writer.write(q.utf8('x'));
      await writer.abort(c);
      await stream.readable.cancel();
    }, code);
    const got = await seen;
    equal(got, resetSeen(code, got), `reset ${code}`);
  }
});

test('stop codes of one page arrive at the other', async () => {
  for (const code of SOME) {
    const stopped = shared.b.evaluate(async (c) => {
      const stream = await nextStream();
      stream.accept();
      // Not at once: Firefox loses a stream that is stopped when it has just been opened.
      const reader = stream.readable.getReader();
      await reader.read();
      // The other way round Chromium may forget the code.
      await reader.cancel(c);
      await stream.writable.close();
    }, code);
    const seen = await shared.a.evaluate(async () => {
      const stream = await agent.openStream('page-b');
      const writer = stream.writable.getWriter();
      await stream.result;
      writer.write('x').catch(() => {});
      return q.codeOf(writer.closed);
    });
    await stopped;
    equal(seen, stopSeen(code), `stop ${code}`);
  }
});

withCodes('each of the 256 reset codes of a native agent arrives at a page', async (id) => {
  const got = await shared.a.evaluate(async ([to, codes]) => {
    const seen = [];
    for (const code of codes) {
      const stream = await agent.openStream(to, {meta: q.utf8(`reset ${code}`)});
      await stream.writable.close();
      seen.push(await q.codeOf(q.readAll(stream.readable)));
    }
    return seen;
  }, [id, ALL]);
  equal(wrong(ALL.map((code, i) => resetSeen(code, got[i])), got), [], 'codes that differ');
});

withCodes('each of the 256 stop codes of a native agent arrives at a page', async (id) => {
  const got = await shared.a.evaluate(async ([to, codes]) => {
    const stopped = async (code) => {
      const stream = await agent.openStream(to, {meta: q.utf8(`stop ${code}`)});
      // Firefox ends the other direction with it, and so may never show the answer.
      await stream.result.catch(() => {});
      return q.codeOf(stream.writable.getWriter().closed);
    };
    const seen = [];
    for (const code of codes) {
      // Chromium 156 tells about one STOP in 8,000 as a NetworkError without any code.
      let got = await stopped(code);
      for (let again = 0; again < 3 && typeof got !== 'number'; again++) got = await stopped(code);
      seen.push(got);
    }
    return seen;
  }, [id, ALL]);
  equal(wrong(ALL, got), [], 'codes that differ');
});

withCodes('each of the 256 reset codes of a page arrives at a native agent', async (id, codes) => {
  await shared.a.evaluate(async ([to, all]) => {
    for (const code of all) {
      const stream = await agent.openStream(to, {meta: q.utf8('watch')});
      await stream.result;
      await stream.writable.abort(code);
      await q.codeOf(q.readAll(stream.readable));
    }
  }, [id, ALL]);
  await until('all are told', () => codes.lines().length >= 256);
  equal(wrong(ALL.map((c) => `reset ${c}`), codes.lines()), [], 'codes that differ');
});

withCodes('each of the 256 stop codes of a page arrives at a native agent', async (id, codes) => {
  await shared.a.evaluate(async ([to, all]) => {
    for (const code of all) {
      const stream = await agent.openStream(to, {meta: q.utf8('watch')});
      await stream.result;
      await stream.readable.cancel(code);
      await q.codeOf(stream.writable.getWriter().closed);
    }
  }, [id, ALL]);
  await until('all are told', () => codes.lines().length >= 256);
  equal(wrong(ALL.map((c) => `stopped ${stopSeen(c)}`), codes.lines()), [], 'codes that differ');
});

withCodes('a refusal of a native agent arrives at a page with its status and reason', async (id) => {
  const got = await shared.a.evaluate((to) => Promise.all([0x08, 0x80, 0xff].map(async (code) => {
    const stream = await agent.openStream(to, {meta: q.utf8(`reject ${code}`)});
    return stream.result.then(() => 'accepted', (e) => [e.code, e.message]);
  })), id);
  equal(got, [[0x08, 'as asked'], [0x80, 'as asked'], [0xff, 'as asked']], 'answers');
});

test('a refusal of a page arrives at a native agent', async () => {
  for (const [status, exit] of [[0x08, 5], [0x85, 6]]) {
    const refused = shared.b.evaluate(async (s) => (await nextStream()).reject(s, 'not today'), status);
    const {code, err} = await native('asker', 'request', 'agent:page-b', 'please').done;
    await refused;
    equal(code, exit, `exit status (${err})`);
    if (!err.includes('not today')) throw new Error(`it said: ${err}`);
  }
});

test('an unknown agent is OFFLINE at once, for both kinds', async () => {
  const codes = await shared.a.evaluate(async () => [await q.codeOf(agent.request('nobody', q.utf8('?'))),
    await q.codeOf(agent.openStream('nobody', {unidirectional: true}).writable.getWriter().closed)]);
  equal(codes, [0x07, 0x07], 'codes');
});
