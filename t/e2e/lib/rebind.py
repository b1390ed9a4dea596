# SPDX-License-Identifier: MIT
"""A UDP relay in front of the broker that changes its own port all the time, as a network
address translator does that forgets; the broker sees a client whose address moves."""
import select
import socket
import threading


class Rebinder:
    """Packets of clients leave by one of `ports` sockets in turn, `every` packets each."""

    def __init__(self, target, ports=8, every=20):
        self.target = ('127.0.0.1', target)
        self.every = every
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(('127.0.0.1', 0))
        self.port = self.front.getsockname()[1]
        self.backs = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(ports)]
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
