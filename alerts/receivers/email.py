"""People who are told by e-mail: one plain-text message for each notice, in Vietnamese and English.

Promises: encrypted unless the mail server is on this machine; the same Message-ID however often a notice is
sent; nobody is sent a notice again who took it, while this process lives. A mailbox that refuses for good
(5xx) costs nobody else anything: the notice is recorded with the reason. One that defers (4xx) holds the
others for `HOLD_S` at most, and not again until it has taken something. All else that time may heal is
`Unreachable`. One connection for each message: servers end idle ones, and days lie between two alerts.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import aiosmtplib
from pydantic import Field, field_validator, model_validator

from alerts.receivers import Message, Notice, ReceiverSettings, Session, Undeliverable, Unreachable
from alerts.receivers.letter import letter, one_line
from ingest.catalog import Catalogue
from ingest.clock import Clock, system_clock
from ingest.config_model import Duration

ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
TIMEOUT_S = 20.0  # for one answer of the mail server; some look a sender up before they speak
HOLD_S = 60.0  # for a mailbox that says "later"; the others wait so long
PERMANENT = 500  # SMTP codes from here on are final

Mailbox = Annotated[str, Field(pattern=ADDRESS, max_length=254)]


class EmailSettings(ReceiverSettings):
    """One mail server and whom it takes messages to. `tls`: `starttls` (port 587), `implicit` (465) or, to a
    server on this machine alone, `none`. `console`: the console's address, for the links in messages.
    """

    kind: Literal["email"] = "email"
    host: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9.:-]+$")]
    port: int = Field(587, ge=1, le=65_535)
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: Path | None = None  # a private CA's certificates (PEM) beside those that this machine trusts
    username: str | None = None
    password_file: Path | None = None
    sender: Mailbox
    to: tuple[Mailbox, ...] = Field(min_length=1, max_length=50)
    console: str | None = None
    digest: Duration | None = 3_600.0

    @property
    def digest_s(self) -> float | None:
        return self.digest

    @field_validator("console")
    @classmethod
    def _console(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("https", "http") or not url.isprintable()):
            raise ValueError("write https://name/")
        return url

    @model_validator(mode="after")
    def _whole(self) -> EmailSettings:
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        if self.tls == "none" and self.host not in LOOPBACK:
            raise ValueError("tls: only a mail server on this machine is spoken to without TLS")
        return self


class EmailReceiver:
    """Writes to the mailboxes of one receiver."""

    def __init__(
        self,
        settings: EmailSettings,
        catalogue: Catalogue,
        clock: Clock | None = None,
    ) -> None:
        self.settings = settings
        self._catalogue = catalogue
        self._clock = clock or system_clock()
        self._round = _Round("", 0.0)
        self._slow: set[str] = set()

    def use(self, catalogue: Catalogue) -> None:
        """See `Receiver`."""
        self._catalogue = catalogue

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """Nothing is opened before there is something to send."""
        yield EmailSession(self)

    async def send(self, notice: Notice) -> None:
        """To every mailbox that has not taken it yet."""
        settings = self.settings
        event_id = notice.numbered.event.event_id
        if self._round.event_id != event_id:
            self._round = _Round(event_id, self._clock.monotonic())
        left = [to for to in settings.to if to not in self._round.took]
        message = letter(notice, self._catalogue, settings.sender, settings.to, settings.console)
        refused: Mapping[str, tuple[int, str]]
        try:
            async with self._server() as server:
                refused, _ = await server.send_message(message, sender=settings.sender, recipients=left)
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = {each.recipient: (each.code, each.message) for each in error.recipients}
        except aiosmtplib.SMTPDataError as error:
            if error.code < PERMANENT:
                raise Unreachable(f"{error.code} {one_line(error.message)}") from None
            raise Undeliverable(
                f"{error.code} {one_line(error.message)}", partly=bool(self._round.took)
            ) from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {one_line(str(error))}") from None
        took = set(left) - set(refused)
        self._round.took |= took
        self._slow -= took
        self._judge(refused)

    def _judge(self, refused: Mapping[str, tuple[int, str]]) -> None:
        """Whether to try again for those who said "later", or to let the notice go."""
        if not refused:
            return
        said = "; ".join(f"{to}: {code} {one_line(text)}" for to, (code, text) in sorted(refused.items()))
        later = {to for to, (code, _) in refused.items() if code < PERMANENT}
        if later and not self._round.took:
            raise Unreachable(said)  # it is the server's trouble: greylisting, a quota
        waited_s = self._clock.monotonic() - self._round.began
        if later - self._slow and waited_s < HOLD_S:
            raise Unreachable(said)
        self._slow |= later
        raise Undeliverable(said, partly=bool(self._round.took))

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """A connection to the server, with TLS, and the password as its file has it now."""
        settings = self.settings
        server = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            timeout=TIMEOUT_S,
            use_tls=settings.tls == "implicit",
            start_tls=settings.tls == "starttls",
            tls_context=self._trusted(),
        )
        async with server:
            if settings.password_file is not None and settings.username is not None:
                password = settings.password_file.read_text(encoding="utf-8").strip()
                await server.login(settings.username, password)
            yield server

    def _trusted(self) -> ssl.SSLContext | None:
        if self.settings.tls == "none":
            return None
        trusted = ssl.create_default_context()
        if self.settings.ca_file is not None:
            trusted.load_verify_locations(self.settings.ca_file)
        return trusted


class _Round:
    """One notice on its way: who has taken it, and since when it is tried (monotonic seconds)."""

    def __init__(self, event_id: str, began: float) -> None:
        self.event_id = event_id
        self.began = began
        self.took: set[str] = set()


class EmailSession(Message):
    """A receiver at work."""

    def __init__(self, receiver: EmailReceiver) -> None:
        self._receiver = receiver

    async def deliver(self, notice: Notice) -> None:
        await self._receiver.send(notice)
