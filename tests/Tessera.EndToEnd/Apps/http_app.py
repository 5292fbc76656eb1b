"""An HTTP/1.1 application that can behave badly.

Answers every request with its PID, its version and the request it got. Without options it has no
signal handling at all: SIGTERM ends it at once, requests in flight included.
"""

import argparse
import http.server
import os
import signal
import socketserver
import sys
import time


def parse_options():
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--ignore-sigterm", action="store_true")
    options.add_argument("--start-delay", type=float, default=0, help="seconds before it listens")
    options.add_argument("--answer-delay", type=float, default=0, help="seconds before an answer")
    options.add_argument("--fork-child", action="store_true", help="double-fork a sleeping child")
    return options.parse_args()


def fork_daemon_child():
    """Leaves a process in a session of its own whose parent is gone, as daemons do."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execvp("sleep", ["sleep", "3600"])
        os._exit(0)
    os.wait()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 16384

    def do_GET(self):
        body_in = self.read_body()
        if OPTIONS.answer_delay:
            time.sleep(OPTIONS.answer_delay)
        if self.path == "/exit":
            os._exit(3)
        if self.path.startswith("/status/"):
            self.answer(int(self.path[8:]), b"")
            return
        text = f"Instance: {os.getpid()}\nVersion: {os.environ.get('VERSION', '')}\n"
        text += f"{self.requestline}\n{self.headers}Body: {len(body_in)}\n"
        self.answer(200, text.encode("latin-1"))

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    def read_body(self):
        if "content-length" in self.headers:
            return self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return b""
        body = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            body += self.rfile.read(size)
            if size == 0:
                while self.rfile.readline().strip():
                    pass
                return body
            self.rfile.readline()

    def answer(self, status, body):
        self.send_response(status)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304):
            self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, ValueError)):
            super().handle_error(request, client_address)


OPTIONS = parse_options()
if OPTIONS.ignore_sigterm:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if OPTIONS.fork_child:
    fork_daemon_child()
print(f"http_app {os.getpid()} starts on {OPTIONS.port}", flush=True)
time.sleep(OPTIONS.start_delay)
Server(("127.0.0.1", OPTIONS.port), Handler).serve_forever()
