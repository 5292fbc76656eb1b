"""aiohttp: many requests at once, streams both ways, and a WebSocket."""

import asyncio
import sys

import aiohttp

URL, FILE, EXPECTED = sys.argv[1:4]
LARGE = open(FILE, "rb").read()


async def pieces():
    for at in range(0, len(LARGE), 40000):
        yield LARGE[at:at + 40000]
        await asyncio.sleep(0)


async def ask(session, number):
    async with session.get("/app/hello", params={"q": str(number)}) as answer:
        assert answer.status == 200
        assert (await answer.json())["query"] == str(number)


async def talk(session):
    async with session.ws_connect("/app/echo", heartbeat=0.2) as socket:
        for number in range(100):
            await socket.send_str(f"message {number}")
            assert await socket.receive_str() == f"message {number}"
        await socket.send_bytes(LARGE[:500000])
        assert await socket.receive_bytes() == LARGE[:500000]
        # Nothing comes but the answers to its pings, which it takes while it receives.
        try:
            raise AssertionError(await asyncio.wait_for(socket.receive(), 0.5))
        except asyncio.TimeoutError:
            pass
        await socket.send_str("still here")
        assert await socket.receive_str() == "still here"
        await socket.close()
        assert socket.close_code == 1000, socket.close_code


async def main():
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(URL, timeout=timeout, raise_for_status=True) as session:
        await asyncio.gather(*(ask(session, number) for number in range(300)))
        async with session.get("/large.bin") as answer:
            assert await answer.read() == LARGE
        async with session.get("/script.js") as answer:
            assert answer.headers["Content-Encoding"] and "number2999" in await answer.text()
        async with session.get("/app/large?bytes=1000000&chunked=1") as answer:
            assert len(await answer.read()) == 1000000
        async with session.post("/app/upload", data=pieces()) as answer:
            assert await answer.text() == EXPECTED + "\n"
        async with session.post("/app/upload", data=LARGE, expect100=True) as answer:
            assert await answer.text() == EXPECTED + "\n"
        await asyncio.gather(*(talk(session) for _ in range(5)))


asyncio.run(main())
print("all well")
