"""The standard library: http.client on one connection, and urllib."""

import http.client
import json
import sys
import urllib.parse
import urllib.request

URL, FILE, EXPECTED = sys.argv[1:4]
HOST = urllib.parse.urlparse(URL).netloc
LARGE = open(FILE, "rb").read()

connection = http.client.HTTPConnection(HOST, timeout=20)
connection.connect()
sock = connection.sock


def fetch(method, path, body=None, headers={}, **options):
    connection.request(method, path, body, headers, **options)
    answer = connection.getresponse()
    data = answer.read()
    assert connection.sock is sock, f"{method} {path} ended the connection"
    return answer, data


for number in range(50):
    answer, data = fetch("GET", f"/app/hello?q={number}")
    assert answer.status == 200 and json.loads(data)["query"] == str(number)
answer, data = fetch("GET", "/large.bin")
assert data == LARGE
answer, data = fetch("GET", "/app/large?bytes=1000000&chunked=1")
assert answer.getheader("Transfer-Encoding") == "chunked" and len(data) == 1000000
answer, data = fetch("HEAD", "/large.bin")
assert answer.status == 200 and answer.getheader("Content-Length") == str(len(LARGE)) and not data
answer, data = fetch("POST", "/app/upload", LARGE)
assert data.decode() == EXPECTED + "\n", data
pieces = (LARGE[at:at + 65536] for at in range(0, len(LARGE), 65536))
answer, data = fetch("PUT", "/app/upload", pieces, encode_chunked=True,
                     headers={"Transfer-Encoding": "chunked"})
assert data.decode() == EXPECTED + "\n", data
answer, data = fetch("GET", "/style.css")
answer, data = fetch("GET", "/style.css", headers={"If-None-Match": answer.getheader("ETag")})
assert answer.status == 304 and not data
answer, data = fetch("GET", "/large.bin", headers={"Range": "bytes=5-9"})
assert answer.status == 206 and data == LARGE[5:10]

with urllib.request.urlopen(URL + "/", timeout=20) as answer:
    assert b"<h1>Site</h1>" in answer.read()
form = urllib.parse.urlencode({"name": "Zoë"}).encode()
with urllib.request.urlopen(URL + "/app/hello", form, timeout=20) as answer:
    assert json.load(answer)["name"] == "Zoë"
print("all well")
