"""Echoes bytes; with a greeting it speaks first, as mail and database servers do."""

import argparse
import socketserver

options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
options.add_argument("--greeting", default="")
OPTIONS = options.parse_args()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        if OPTIONS.greeting:
            self.request.sendall(OPTIONS.greeting.encode() + b"\n")
        while data := self.request.recv(65536):
            self.request.sendall(data)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


Server(("127.0.0.1", OPTIONS.port), Handler).serve_forever()
