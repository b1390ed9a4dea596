// SPDX-License-Identifier: MIT
// A broker that a case may start and stop as it likes, at ports that stay.
import {spawn} from 'node:child_process';
import {createHash, randomBytes} from 'node:crypto';
import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {chmodSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {env, program, until} from './lib.mjs';

async function freeTcpPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const {port} = server.address();
  server.close();
  return port;
}

async function freeUdpPort() {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const {port} = socket.address();
  socket.close();
  return port;
}

const conf = ({dir, port, httpPort, main, html}) => `
daemon off;
pid ${dir}/quicms.pid;
error_log ${dir}/error.log info;
state_dir ${dir}/state;
${main}
quic {
    limit_connections_per_address 1000;
    server {
        listen 127.0.0.1:${port} quic webtransport;
        tls self-signed;
        auth any auth_token;
        token_file ${dir}/tokens;
        allowed_origins http://127.0.0.1:${httpPort};
        location /quicms { webtransport on; }
    }
}
http { listen 127.0.0.1:${httpPort}; root ${html}; }
`;

export class OwnBroker {
  /** `main`: directives before the quic block. */
  static async make(main = '') {
    const b = new OwnBroker();
    b.dir = mkdtempSync(join(tmpdir(), 'quicms-own-'));
    chmodSync(b.dir, 0o755);
    [b.port, b.httpPort] = [await freeUdpPort(), await freeTcpPort()];
    b.http = `http://127.0.0.1:${b.httpPort}`;
    b.wt = `https://127.0.0.1:${b.port}/quicms`;
    b.token = randomBytes(16).toString('hex');
    writeFileSync(join(b.dir, 'tokens'), `* ${createHash('sha256').update(b.token).digest('hex')} - -\n`);
    writeFileSync(join(b.dir, 'conf'), conf({...b, main, html: env('QMS_ROOT')}));
    await b.start();
    return b;
  }

  async start() {
    this.process = spawn(join(env('QUICMS_BUILD'), 'quicms'), ['-p', this.dir, '-c', join(this.dir, 'conf')], {stdio: ['ignore', 'ignore', 'pipe']});
    let words = '';
    this.process.stderr.on('data', (d) => { words += d; });
    this.ended = once(this.process, 'exit').then(([code]) => ({code, words}));
    await until('the broker of its own is ready', async () => {
      if (this.process.exitCode !== null) throw new Error(`the broker ended: ${words}`);
      return (await fetch(`${this.http}/readyz`).catch(() => undefined))?.ok;
    });
    this.pin = (await this.json('/api/v1/cert')).certificates[0].sha256;
  }

  async json(path) {
    return (await fetch(this.http + path)).json();
  }

  /** Ends master and workers as a power cut would. */
  async kill() {
    const {workers} = await this.json('/api/v1/workers');
    for (const {pid} of workers) process.kill(pid, 'SIGKILL');
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** The next start mints another one. */
  forgetCertificate() {
    rmSync(join(this.dir, 'state'), {recursive: true});
  }

  /** Ends it; its exit status must be 0. */
  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill('SIGTERM');
    const {code, words} = await this.ended;
    if (code !== 0) throw new Error(`the broker ended with ${code}: ${words}`);
  }

  native(id, ...args) {
    return program('quicms-agent', '--url', `quic://127.0.0.1:${this.port}`, '--id', id, '--token', this.token, '--pin', this.pin, ...args);
  }

  /** A scenario of quicms-load, which runs until it is stopped or done. */
  load(scenario, ...args) {
    return program('quicms-load', `quic://127.0.0.1:${this.port}`, this.pin, this.token, scenario, ...args.map(String));
  }

  online(id) {
    return until(`${id} is online`, async () => (await this.json('/api/v1/agents')).agents.some((a) => a.id === id));
  }
}

/** Runs `body` with a broker of its own, which must end well. */
export async function withBroker(body, main) {
  const broker = await OwnBroker.make(main);
  try {
    await body(broker);
    await broker.stop();
  } finally {
    broker.process.kill('SIGKILL');
    rmSync(broker.dir, {recursive: true, force: true});
  }
}
