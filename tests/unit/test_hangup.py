"""SIGHUP asks for a reload; from a terminal that was closed it means the end, as it always has."""

import os
import pty
import signal
import subprocess
import sys

# A session of its own, whose first opened terminal becomes its controlling one.
PROGRAM = """
import asyncio, os, sys
from ingest.reload import on_hangup

async def main():
    wanted, stop = asyncio.Event(), asyncio.Event()
    on_hangup(wanted, stop)
    print("ready", flush=True)
    for word, event in (("reload", wanted), ("stop", stop)):
        await event.wait()
        print(word, flush=True)

if len(sys.argv) > 1:
    os.open(sys.argv[1], os.O_RDWR)
asyncio.run(main())
"""


def started(*terminal: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *terminal], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert said(process) == "ready"
    return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_signal_reloads_and_a_closed_terminal_stops() -> None:
    ours, theirs = pty.openpty()
    with started(os.ttyname(theirs)) as process:
        os.close(theirs)
        process.send_signal(signal.SIGHUP)
        assert said(process) == "reload"
        os.close(ours)
        assert said(process) == "stop"
        assert process.wait(30) == 0


def test_service_without_a_terminal_always_reloads() -> None:
    with started() as process:
        process.send_signal(signal.SIGHUP)
        assert said(process) == "reload"
        process.kill()
