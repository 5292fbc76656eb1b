"""Takes uploads and counts them; gives downloads of any length, with a length or in chunks."""

import argparse
import http.server
import os
import socketserver
import urllib.parse
import zlib

PIECE = 256 * 1024
PATTERN = bytes(range(256)) * (PIECE // 256)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        length = int(query["bytes"][0])
        chunked = "chunked" in query
        self.send_response(200)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        while length > 0:
            piece = PATTERN if length >= PIECE else PATTERN[:length]
            if chunked:
                self.wfile.write(b"%x\r\n" % len(piece))
            self.wfile.write(piece)
            if chunked:
                self.wfile.write(b"\r\n")
            length -= len(piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        count, crc = 0, 0
        for piece in self.pieces():
            count += len(piece)
            crc = zlib.crc32(piece, crc)
        body = b"Instance: %d\nbytes %d\ncrc %08x\n" % (os.getpid(), count, crc)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def pieces(self):
        if "content-length" in self.headers:
            yield from self.read_pieces(int(self.headers["content-length"]))
            return
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            yield from self.read_pieces(size)
            self.rfile.readline()
            if size == 0:
                return

    def read_pieces(self, left):
        while left > 0:
            piece = self.rfile.read1(min(left, PIECE))
            if not piece:
                raise ConnectionError("the upload ended early")
            left -= len(piece)
            yield piece

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024


options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
Server(("127.0.0.1", options.parse_args().port), Handler).serve_forever()
