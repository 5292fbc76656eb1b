"""Answers an upgrade with 101 and then echoes raw bytes until the client half-closes."""

import argparse
import socketserver


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        head = []
        while (line := self.rfile.readline().strip()):
            head.append(line.decode("latin-1").lower())
        wanted = [line.split(":", 1)[1].strip() for line in head if line.startswith("upgrade:")]
        if not wanted:
            self.wfile.write(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n")
            return
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
            + wanted[0].encode() + b"\r\n\r\n")
        while data := self.rfile.read1(65536):
            self.wfile.write(data)
        self.wfile.write(b"bye")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
Server(("127.0.0.1", options.parse_args().port), Handler).serve_forever()
