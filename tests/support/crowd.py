"""Many clients of the event stream at once, some of which never read: who was told what, and when.

The feed runs as a process of its own, so that its memory is its own. Used by the contract test (completeness,
memory) and by `make bench` (latency).
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from alerts.api.serve import running_feed
from tests.support.feed import NATURE, catalogue

NUMBER = re.compile(rb"(?:^|\n)id: (\d+)\n")
CARRY = 32  # bytes that a number and its line may be cut into
KB = 1024
CUT = "cut"
LAST_CHUNK = b"0\r\n\r\n"


class FeedProcess:
    """A feed in a child process."""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self.pid = pid

    def resident_mb(self) -> float:
        """Its memory now (Linux)."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / KB


@asynccontextmanager
async def feed_process(database_url: str) -> AsyncIterator[FeedProcess]:
    """A feed over this database for as long as the block runs."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.crowd",
        database_url,
        cwd=Path(__file__).parents[2],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdin
    assert child.stdout
    try:
        said = json.loads(await child.stdout.readline())
        yield FeedProcess(said["url"], child.pid)
    finally:
        child.stdin.close()
        try:
            async with asyncio.timeout(20):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


class Reader(asyncio.Protocol):
    """A client that reads: the number of each event with the time of the loop at which it came."""

    def __init__(self, request: bytes) -> None:
        self.told: list[tuple[int, float]] = []
        self.ended = False
        self._request = request
        self._carry = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = self._loop.time()
        held = self._carry + data
        end = 0
        for match in NUMBER.finditer(held):
            self.told.append((int(match[1]), now))
            end = match.end() - 1  # the end of a line is the beginning of the next
        self._carry = held[max(end, len(held) - CARRY) :]

    def connection_lost(self, error: Exception | None) -> None:
        self.ended = True


class Crowd:
    """The clients of one feed."""

    def __init__(self, readers: Sequence[Reader], sleepers: Sequence[socket.socket]) -> None:
        self.readers = readers
        self.sleepers = sleepers

    async def told(self, seq: int, seconds: float = 60.0) -> None:
        """Wait until every reader has got that number."""
        async with asyncio.timeout(seconds):
            while any(not one.told or one.told[-1][0] < seq for one in self.readers):
                assert not any(one.ended for one in self.readers), "a client that reads was cut off"
                await asyncio.sleep(0.005)


@asynccontextmanager
async def crowd(url: str, headers: Mapping[str, str], readers: int, sleepers: int) -> AsyncIterator[Crowd]:
    """So many clients that read and so many that never do; each is told everything from the beginning."""
    host, _, port = url.removeprefix("http://").partition(":")
    lines = [f"GET /api/v1/events/stream HTTP/1.1\r\nHost: {host}", "Last-Event-ID: 0"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    loop = asyncio.get_running_loop()
    reading, sleeping = [], []
    for _ in range(sleepers):
        sleeper = socket.socket()
        sleeper.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KB)
        sleeper.settimeout(30.0)
        sleeper.connect((host, int(port)))
        sleeper.sendall(request)
        sleeping.append(sleeper)
    for _ in range(readers):
        _, reader = await loop.create_connection(lambda: Reader(request), host, int(port))
        reading.append(reader)
    try:
        yield Crowd(reading, sleeping)
    finally:
        for one in reading:
            one.transport.close()
        for each in sleeping:
            each.close()


def last_words(sleeper: socket.socket) -> str:
    """What a client that never read finds at last: the name of the last event, or that the stream
    broke off without its last chunk, since the client took nothing for many seconds."""
    received = b""
    try:
        while part := sleeper.recv(64 * KB):
            received = (received + part)[-8 * KB :]
    except ConnectionResetError:
        return CUT
    if not received.endswith(LAST_CHUNK):
        return CUT
    return received.decode(errors="replace").rpartition("event: ")[2].partition("\n")[0]


async def _serve(database_url: str) -> None:
    async with running_feed(database_url, None, catalogue(), NATURE) as feed:
        print(json.dumps({"url": feed.url}), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
