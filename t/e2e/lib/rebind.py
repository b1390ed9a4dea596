# SPDX-License-Identifier: MIT
"""A UDP relay in front of the broker that changes its own port all the time, as a network
address translator does that forgets; the broker sees a client whose address moves."""
import select
import socket
import threading


class Rebinder:
    """Packets of clients leave by a socket at one of `hosts` in turn, `every` packets each."""

    def __init__(self, target, hosts, every=20):
        family = socket.AF_INET6 if ':' in hosts[0] else socket.AF_INET
        here = '::1' if family == socket.AF_INET6 else '127.0.0.1'
        self.host = f'[{here}]' if family == socket.AF_INET6 else here
        self.target = (here, target)
        self.every = every
        self.front = socket.socket(family, socket.SOCK_DGRAM)
        self.front.bind((here, 0))
        self.port = self.front.getsockname()[1]
        self.backs = [socket.socket(family, socket.SOCK_DGRAM) for _ in hosts]
        for s, host in zip(self.backs, hosts):
            s.bind((host, 0))
        for s in [self.front] + self.backs:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.client = None
        self.count = 0
        self.still = 0  # packets at the beginning that all leave by one port
        self.running = True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.running:
            ready, _, _ = select.select([self.front] + self.backs, [], [], 0.1)
            for s in ready:
                try:
                    data, address = s.recvfrom(65536)
                except OSError:
                    continue
                if s is self.front:
                    self.client = address
                    self.count += 1
                    moved = max(0, self.count - self.still) // self.every
                    self.backs[moved % len(self.backs)].sendto(data, self.target)
                elif self.client:
                    self.front.sendto(data, self.client)

    def close(self):
        self.running = False
        self.thread.join()
        for s in [self.front] + self.backs:
            s.close()
