# SPDX-License-Identifier: MIT
"""A real broker in a directory of its own, and the programs that talk to it."""
import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

BUILD = os.environ.get('QUICMS_BUILD') or os.path.join(os.path.dirname(__file__), '../../../build')
HTML = os.path.abspath(os.path.join(BUILD, 'www'))
# A prefix for the broker's command, such as valgrind with its options.
WRAP = shlex.split(os.environ.get('QMS_WRAP', ''))
# Worker processes of every broker that does not say so itself.
WORKERS = os.environ.get('QMS_WORKERS', '')
SLOW = float(os.environ.get('QMS_SLOW', '1'))  # stretches deadlines under instrumentation

REPORTS = ('ERROR: AddressSanitizer', 'ERROR: LeakSanitizer', 'runtime error:', 'Sanitizer:DEADLYSIGNAL')


def program(name):
    path = os.path.abspath(os.path.join(BUILD, name))
    if not os.access(path, os.X_OK):
        raise FileNotFoundError(f'{path} is missing: build first')
    return path


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_for(what, condition, seconds=15):
    """Polls until condition() is truthy and returns its value."""
    until = time.monotonic() + seconds * SLOW
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f'{what}: not within {seconds * SLOW:.0f} s')


CONF = '''
daemon off;
pid {dir}/quicms.pid;
error_log {error_log};
state_dir {dir}/state;
worker_shutdown_timeout {drain};
{main}
quic {{
    idle_timeout {idle};
    {quic}
    tls own {{ {tls} }}
    server {{
        listen {host}:{port} quic webtransport;
        tls own;
        {auth}
        allowed_origins http://127.0.0.1:{http_port} {origins};
        {server}
        location /quicms {{ webtransport on; }}
        location / {{ root {html}; }}
    }}
}}
http {{
    listen 127.0.0.1:{http_port};
    root {html};
    {http}
}}
'''


class Broker:
    """`with Broker() as b:` runs a broker; leaving stops it and checks that it ended well."""

    def __init__(self, tokens=None, start=True, **conf):
        self.dir = tempfile.mkdtemp(prefix='quicms-e2e-')
        os.chmod(self.dir, 0o755)
        self.port = free_port(socket.SOCK_DGRAM)
        self.http_port = free_port(socket.SOCK_STREAM)
        self.token = secrets.token_hex(16)
        self.http = f'http://127.0.0.1:{self.http_port}'
        self.token_file = os.path.join(self.dir, 'tokens')
        self.conf_file = os.path.join(self.dir, 'quicms.conf')
        self.log_file = os.path.join(self.dir, 'error.log')
        self.conf = {'host': '127.0.0.1', 'main': '', 'quic': '', 'server': '', 'http': '', 'idle': '30s', 'drain': '5s',
                     'tls': 'self_signed on;', 'html': HTML, 'origins': '',
                     'auth': f'auth any auth_token; token_file {self.token_file};'}
        self.conf['error_log'] = self.log_file + ' info'
        self.conf.update(conf)
        self.url = f"quic://{self.conf['host']}:{self.port}"
        if WORKERS and not any('worker_processes' in str(v) for v in self.conf.values()):
            self.conf['main'] = f'worker_processes {WORKERS};\n' + self.conf['main']
        if WRAP:  # valgrind makes system calls of its own
            self.conf['main'] = 'seccomp off;\n' + self.conf['main']
        self.popen = {}  # for the broker's process
        self.write_tokens(tokens or [('*', self.token, '-', '-')])
        self.write_conf()
        self.children = []
        self.process = None
        if start:
            self.start()

    def write_tokens(self, rows):
        with open(self.token_file, 'w', encoding='ascii') as f:
            for pattern, token, expires, scopes in rows:
                digest = hashlib.sha256(token.encode()).hexdigest()
                f.write(f'{pattern} {digest} {expires} {scopes}\n')

    def write_conf(self, **changes):
        self.conf.update(changes)
        with open(self.conf_file, 'w', encoding='ascii') as f:
            f.write(CONF.format(dir=self.dir, port=self.port, http_port=self.http_port, **self.conf))

    def command(self, *args):
        """Runs quicms to its end: (status, everything it printed)."""
        done = subprocess.run([program('quicms'), '-p', self.dir, '-c', self.conf_file, *args],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors='replace',
                              timeout=60 * SLOW, check=False)
        return done.returncode, done.stdout

    def dump(self, conf_file=None):
        """Lines of quicms -T, without what tells defaults and files apart."""
        status, out = self.command('-c', conf_file or self.conf_file, '-T')
        assert status == 0, out
        return [line.replace(' # default', '') for line in out.splitlines()
                if not line.startswith(('quicms: ', '# configuration in force'))]

    def dump_loads_again(self):
        """What quicms -T prints is a configuration that means the same."""
        again = os.path.join(self.dir, 'dumped.conf')
        lines = self.dump()
        with open(again, 'w', encoding='utf-8') as f:
            f.write('\n'.join(lines) + '\n')
        status, out = self.command('-c', again, '-t')
        assert status == 0, out
        assert self.dump(again) == lines
        return lines

    def start(self):
        with open(os.path.join(self.dir, 'stderr'), 'ab') as err:
            self.process = subprocess.Popen(
                WRAP + [program('quicms'), '-p', self.dir, '-c', self.conf_file], stderr=err,
                stdin=subprocess.DEVNULL, **self.popen)
        try:
            wait_for('the broker is ready', self.ready, 20)
        except AssertionError as failure:
            self.process.kill()
            raise AssertionError(f'{failure}\n{self.log()}') from None

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f'the broker ended with status {self.process.returncode}')
        try:
            return self.get('/readyz')[0] == 200
        except OSError:
            return False

    def get(self, path, **headers):
        """(status, body, headers) of a GET at the HTTP endpoint."""
        request = urllib.request.Request(self.http + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10 * SLOW) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode(), refused.headers

    def quiet_ready(self):
        """As ready, while a worker may be on its way."""
        try:
            return self.ready()
        except (OSError, AssertionError):
            return False

    def json(self, path):
        return json.loads(self.get(path)[1])

    def metric(self, name, **labels):
        """Sum of the samples of one name whose labels contain these."""
        total = 0.0
        for line in self.get('/metrics')[1].splitlines():
            sample, _, value = line.rpartition(' ')
            base, _, rest = sample.partition('{')
            if base == name and all(f'{k}="{v}"' in rest for k, v in labels.items()):
                total += float(value)
        return total

    def agents(self):
        return {a['id']: a for a in self.json('/api/v1/agents')['agents']}

    def pin(self):
        return self.json('/api/v1/cert')['certificates'][0]['sha256']

    def log(self):
        text = ''
        for path in (self.log_file, os.path.join(self.dir, 'stderr')):
            if os.path.exists(path):
                with open(path, encoding='utf-8', errors='replace') as f:
                    text += f.read()
        return text

    def worker_pids(self):
        path = f'/proc/{self.process.pid}/task/{self.process.pid}/children'
        with open(path, encoding='ascii') as f:
            return [int(p) for p in f.read().split()]

    def worker_of_agents(self):
        """The process of the worker that has agents."""
        return wait_for('a worker has agents', lambda: [
            w['pid'] for w in self.json('/api/v1/workers')['workers'] if w['agents'] > 0])[0]

    def worker_rss(self):
        """Resident bytes of all workers; what they share is counted once."""
        total = 0
        for pid in self.worker_pids():
            with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as f:
                total += sum(int(line.split()[1]) * 1024 for line in f if line.startswith('Pss:'))
        return total

    def agent_command(self, agent_id, *args, token=None):
        return [program('quicms-agent'), '--url', self.url, '--id', agent_id,
                '--token', self.token if token is None else token, '--pin', self.pin(), *args]

    def agent(self, agent_id, *args, token=None, data=None, timeout=60):
        """Runs quicms-agent to its end: CompletedProcess with bytes."""
        return subprocess.run(self.agent_command(agent_id, *args, token=token), input=data or b'',
                              capture_output=True, timeout=timeout * SLOW, check=False)

    def spawn(self, agent_id, *args, online=True, **popen):
        """Starts quicms-agent in the background; waits until the broker lists it."""
        popen.setdefault('stdin', subprocess.DEVNULL)
        popen.setdefault('stdout', subprocess.PIPE)
        popen.setdefault('stderr', subprocess.PIPE)
        child = subprocess.Popen(self.agent_command(agent_id, *args), **popen)
        self.children.append(child)
        if online:
            wait_for(f'{agent_id} is online', lambda: agent_id in self.agents())
        return child

    def load(self, scenario, a, b, **popen):
        return subprocess.Popen([program('quicms-load'), self.url, self.pin(), self.token,
                                 scenario, str(a), str(b)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True, **popen)

    def run_load(self, scenario, a, b):
        """Runs a scenario of quicms-load and returns its last JSON line."""
        child = self.load(scenario, a, b)
        self.children.append(child)
        out, _ = child.communicate(timeout=230 * SLOW)
        assert child.returncode == 0, f'quicms-load {scenario}: status {child.returncode}, {out}'
        return json.loads(out.splitlines()[-1])

    def load_succeeds(self, scenario, a, b):
        """Whether a scenario of quicms-load that may be refused went through."""
        child = self.load(scenario, a, b, stderr=subprocess.DEVNULL)
        self.children.append(child)
        child.communicate(timeout=230 * SLOW)
        return child.returncode == 0

    def reload(self):
        """Has the configuration read again, by every worker."""
        wanted = self.log().count('configuration in force') + len(self.worker_pids())
        self.process.send_signal(signal.SIGHUP)
        wait_for('the reload', lambda: self.log().count('configuration in force') >= wanted)

    def stop(self, how=signal.SIGTERM):
        """Ends the broker; its status must be 0 and no sanitizer may have complained."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.communicate()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout=30 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError('the broker did not end within 30 s of the signal') from None
        if self.process is not None:
            assert self.process.returncode == 0, (
                f'the broker ended with status {self.process.returncode}\n{self.log()}')
        text = self.log()
        assert not any(r in text for r in REPORTS), text
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        try:
            self.stop()
        except AssertionError:
            if kind is None:
                raise
        finally:
            if kind is not None:
                print('# --- broker log ---\n# ' + '\n# '.join(self.log().splitlines()[-60:]))
            shutil.rmtree(self.dir, ignore_errors=True)
