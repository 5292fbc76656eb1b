"""An HTTP/1.1 application whose mood a test changes while it runs.

GET /.set?status=500&health=503&delay=0.5&cut=1 changes it: the status of its answers, that of
/health, seconds before an answer, and whether it closes the connection in place of one.
GET /.log names every request it got so far, /health left out, with the length of its body.
"""

import argparse
import http.server
import os
import socketserver
import sys
import threading
import time
import urllib.parse

MOOD = {"status": 200, "health": 200, "delay": 0, "cut": 0}
LOG = []
LOCK = threading.Lock()
NAME = os.environ.get("TESSERA_INSTANCE", str(os.getpid()))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 16384

    def do_GET(self):
        body = self.read_body()
        path, _, query = self.path.partition("?")
        if path == "/.set":
            MOOD.update((k, float(v)) for k, v in urllib.parse.parse_qsl(query))
            self.answer(200, "set\n")
        elif path == "/.log":
            with LOCK:
                self.answer(200, "".join(LOG))
        elif path == "/health":
            self.answer(int(MOOD["health"]), "well\n" if MOOD["health"] == 200 else "sick\n")
        else:
            self.serve(body)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def serve(self, body):
        with LOCK:
            LOG.append(f"{self.command} {self.path} {len(body)}\n")
        time.sleep(MOOD["delay"])
        if MOOD["cut"]:
            self.close_connection = True
            return
        text = f"Instance: {NAME}\n{self.requestline}\n{self.headers}Body: {len(body)}\n"
        self.answer(int(MOOD["status"]), text)

    def read_body(self):
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        body = b""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while (size := int(self.rfile.readline().split(b";")[0], 16)) > 0:
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        return body

    def answer(self, status, text):
        body = text.encode("latin-1")
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Powered-By", "moody")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError)):
            super().handle_error(request, client_address)


options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
Server(("127.0.0.1", options.parse_args().port), Handler).serve_forever()
