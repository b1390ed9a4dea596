# SPDX-License-Identifier: MIT
"""quicms-probe as an object, and a UDP relay that may change its port."""
import os
import select
import socket
import subprocess
import threading
import time

from broker import SLOW, program


class Probe:
    """One agent: commands go in, lines come out.  `with Probe(...) as p:` ends it."""

    def __init__(self, url, agent_id, **settings):
        pre = settings.pop('pre', [])
        args = [f'{k}={v}' for k, v in settings.items()] + [f'pre={p}' for p in pre]
        self.process = subprocess.Popen([program('quicms-probe'), url, agent_id, *args],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.lines = []
        self.rest = b''
        self.forgiven = False  # its status does not count: the test killed it

    def do(self, command):
        self.process.stdin.write(command.encode() + b'\n')

    def expect(self, start, seconds=15):
        """The next line that begins so; what comes before it is kept in `lines`."""
        return self.expect_any(start, seconds=seconds)

    def expect_any(self, *start, seconds=15):
        """The same for one of several beginnings."""
        until = time.monotonic() + seconds * SLOW
        while True:
            for i, line in enumerate(self.lines):
                if line.startswith(start):
                    return self.lines.pop(i)
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f'no "{start}" within {seconds * SLOW:.0f} s: {self.lines}')
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise AssertionError(f'no "{start}" before its end: {self.lines}')
            *whole, self.rest = (self.rest + data).split(b'\n')
            self.lines += [w.decode() for w in whole]

    def ask(self, command, start):
        self.do(command)
        return self.expect(start)

    def stat(self, name):
        return int(self.ask(f'stat {name}', f'stat {name}').split()[-1])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            try:
                self.do('close')
                self.process.stdin.close()
                self.process.wait(timeout=10 * SLOW)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        if kind is None and not self.forgiven:
            assert self.process.returncode == 0, f'quicms-probe: status {self.process.returncode}'


class Relay:
    """Carries UDP between clients of `port` and a server; one client at a time."""

    def __init__(self, server_port):
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(('127.0.0.1', 0))
        self.front.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.port = self.front.getsockname()[1]
        self.server = ('127.0.0.1', server_port)
        self.back = self.upstream()
        self.client = None
        self.sent = []      # first packets towards the server
        self.clients = set()
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def upstream(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(('127.0.0.1', 0))
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        return s

    def rebind(self):
        """The server sees another port from now on, as behind a NAT that forgot."""
        self.back = self.upstream()

    def run(self):
        while not self.over:
            ready, _, _ = select.select([self.front, self.back], [], [], 0.05)
            for s in ready:
                try:
                    data, source = s.recvfrom(65536)
                    if s is self.front:
                        self.client = source
                        self.clients.add(source)
                        if len(self.sent) < 64:
                            self.sent.append(data)
                        self.back.sendto(data, self.server)
                    elif self.client is not None:
                        self.front.sendto(data, self.client)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.over = True
        self.thread.join()
        self.front.close()
        self.back.close()
