"""A city that tells receivers: a database, webhooks, and a feed over them, as tests of delivery need it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alerts.receivers import ReceiverSettings
from alerts.receivers.book import ReceiverBook
from alerts.receivers.webhook import WebhookSettings
from ingest.model import Nature
from tests.fakes.hook import SECRET
from tests.support.feed import Connection, until

EXERCISE = frozenset({Nature.EXERCISE})


def secret_in(folder: Path) -> Path:
    file = folder / "secret"
    file.write_text(SECRET, encoding="ascii")
    return file


def webhook(name: str, port: int, secret: Path, **more: Any) -> WebhookSettings:
    """A receiver on this machine, of what this test's database is for."""
    fields = {"natures": EXERCISE, "secret_file": secret, "allow_private": True, "insecure": True}
    return WebhookSettings(name=name, url=f"http://127.0.0.1:{port}/hook", **(fields | more))


def book(*receivers: ReceiverSettings, **more: Any) -> ReceiverBook:
    return ReceiverBook(receivers, **more)


def outcomes(table: Connection, receiver: str) -> list[tuple[int, str]]:
    return table.execute(
        "SELECT seq, outcome FROM delivery_outcome WHERE receiver = %s ORDER BY seq", (receiver,)
    ).fetchall()


def reached(table: Connection, receiver: str) -> int:
    row = table.execute("SELECT seq FROM delivery WHERE receiver = %s", (receiver,)).fetchone()
    return 0 if row is None else int(row[0])


async def settled(table: Connection, receiver: str, seq: int, seconds: float = 30.0) -> None:
    """Wait until the receiver's cursor has come to this number."""

    async def there() -> bool:
        return await asyncio.to_thread(reached, table, receiver) >= seq

    await until(there, seconds)


async def comes(check: Callable[[], bool], seconds: float = 30.0) -> None:
    async def there() -> bool:
        return check()

    await until(there, seconds)
