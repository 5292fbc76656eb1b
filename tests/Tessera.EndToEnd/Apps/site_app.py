"""The application of a small site: JSON, large and chunked answers, uploads, a WebSocket."""

import argparse
import os
import zlib

import tornado.httpserver
import tornado.ioloop
import tornado.iostream
import tornado.web
import tornado.websocket

NAME = os.environ.get("TESSERA_INSTANCE", str(os.getpid()))
PIECE = bytes(range(256)) * 64


class Hello(tornado.web.RequestHandler):
    """Always of one length, so that clients which compare lengths see no difference."""

    def get(self):
        self.write({"message": "hello", "instance": NAME, "query": self.get_query_argument("q", "")})

    def post(self):
        self.write({"name": self.get_body_argument("name", ""), "instance": NAME})


class Large(tornado.web.RequestHandler):
    """?bytes=N of a pattern, with a length, or in chunks with ?chunked=1."""

    async def get(self):
        left = int(self.get_query_argument("bytes"))
        self.set_header("Content-Type", "application/octet-stream")
        if not self.get_query_argument("chunked", ""):
            self.set_header("Content-Length", str(left))
        try:
            while left > 0:
                self.write(PIECE[:left])
                left -= len(PIECE)
                await self.flush()
        except tornado.iostream.StreamClosedError:
            pass


@tornado.web.stream_request_body
class Upload(tornado.web.RequestHandler):
    """Counts what it gets, piece by piece."""

    def prepare(self):
        self.count, self.crc = 0, 0

    def data_received(self, chunk):
        self.count += len(chunk)
        self.crc = zlib.crc32(chunk, self.crc)

    def post(self):
        self.write(f"bytes {self.count} crc {self.crc:08x}\n")

    put = post


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message, binary=isinstance(message, bytes))


options = argparse.ArgumentParser()
options.add_argument("--port", type=int, required=True)
application = tornado.web.Application([
    ("/app/hello", Hello), ("/app/large", Large), ("/app/upload", Upload), ("/app/echo", Echo),
])
server = tornado.httpserver.HTTPServer(application, max_body_size=1 << 30)
server.listen(options.parse_args().port, "127.0.0.1", backlog=1024)
tornado.ioloop.IOLoop.current().start()
