# SPDX-License-Identifier: MIT
"""The operator's service that auth_request asks: a real HTTP server whose answers a test decides."""
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service:
    """`answer(headers)` returns (status, {header: value}, body); `asked` holds the headers of each question."""

    def __init__(self, answer, host='127.0.0.1'):
        self.answer, self.asked, self.connections = answer, [], 0
        self.hang_up = False  # closes every connection behind an answer
        self.drip = False  # sends the body byte by byte
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def setup(self):
                service.connections += 1
                super().setup()

            def do_GET(self):
                service.asked.append({'path': self.path, **dict(self.headers)})
                said = service.answer(self.headers)
                if said is None:  # breaks off
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if isinstance(said, bytes):
                    self.close_connection = True
                    self.wfile.write(said)
                    return
                status, headers, body = said
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if service.hang_up:
                    self.close_connection = True
                if status != 204:
                    self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                if status != 204:
                    for piece in [body[i:i + 1] for i in range(len(body))] if service.drip else [body]:
                        self.wfile.write(piece)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False
            address_family = socket.AF_INET6 if ':' in host else socket.AF_INET

            def handle_error(self, *_):
                pass  # the broker may leave in the middle of an answer

        self.server = Server((host, 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f'http://127.0.0.1:{self.port}/check'
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
