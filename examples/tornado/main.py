"""A Tornado application that answers on the port it is told."""

from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.options import define, options, parse_command_line
from tornado.web import Application, RequestHandler

define("port", default=8000, type=int, help="port to listen on")


class MainHandler(RequestHandler):
    def get(self):
        self.write("Hello, Tornado")


if __name__ == "__main__":
    parse_command_line()
    HTTPServer(Application([("/", MainHandler)])).listen(options.port)
    IOLoop.current().start()
