"""requests: a session, parallel sessions, streams, gzip and a generator's upload."""

import concurrent.futures
import sys

import requests

URL, FILE, EXPECTED = sys.argv[1:4]
LARGE = open(FILE, "rb").read()


def ask(session, number):
    answer = session.get(f"{URL}/app/hello", params={"q": number}, timeout=20)
    answer.raise_for_status()
    assert answer.json()["query"] == str(number)


def work(worker):
    with requests.Session() as session:
        for number in range(40):
            ask(session, f"{worker}.{number}")


with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(work, range(8)))

with requests.Session() as session:
    page = session.get(URL + "/", timeout=20)
    assert page.status_code == 200 and "<h1>Site</h1>" in page.text
    script = session.get(URL + "/script.js", timeout=20)
    assert script.headers["Content-Encoding"] in ("gzip", "br") and "number2999" in script.text
    with session.get(URL + "/large.bin", stream=True, timeout=20) as answer:
        assert b"".join(answer.iter_content(10000)) == LARGE
    with session.get(URL + "/app/large?bytes=1000000&chunked=1", stream=True, timeout=20) as answer:
        assert sum(len(piece) for piece in answer.iter_content(None)) == 1000000
    with open(FILE, "rb") as source:
        assert session.post(URL + "/app/upload", source, timeout=20).text == EXPECTED + "\n"
    pieces = (LARGE[at:at + 50000] for at in range(0, len(LARGE), 50000))
    assert session.put(URL + "/app/upload", pieces, timeout=20).text == EXPECTED + "\n"
    form = session.post(URL + "/app/hello", {"name": "Zoë"}, timeout=20)
    assert form.json()["name"] == "Zoë"
    files = session.post(URL + "/app/hello", {"name": "a"}, files={"f": LARGE}, timeout=20)
    assert files.json()["name"] == "a"
print("all well")
