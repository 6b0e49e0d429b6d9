"""The demo as a newcomer runs it: the whole flood through the real service, judged against the truth."""

import subprocess
import sys

import pytest

from ingest.embedded_server import free_port
from tests.support.parts import need_program


@pytest.mark.timeout(300)
def test_the_flood_of_october_2025_is_told_as_the_truth_says() -> None:
    need_program("mosquitto", "mosquitto")
    command = [sys.executable, "-m", "huewatch", "demo", "--once", f"--port={free_port()}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    print(done.stdout[-6_000:])
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-2_000:]
    assert "0 wrong" in done.stdout
