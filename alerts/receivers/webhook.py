"""A system that is told by HTTP: one signed POST per notice, after the Standard Webhooks specification.

Promises: the body is `notice_json`; `webhook-id` is the event's id, the same however often it is sent, so
that the receiver's side can count each once; `webhook-signature` holds an HMAC-SHA256 over id, time and body
for each secret in force; a request goes to exactly the address that was checked, under the name's own TLS and
Host; no redirect is followed, and of an answer nothing is read but a bounded part. 2xx takes a notice, 410
ends everything, all else is `Unreachable`. Secrets are read from their files at each request: to change one,
change the file. Neither they nor the URL's path and query reach a log or the database; scheme, name and port
may.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator, model_validator

from alerts import wire
from alerts.receivers import Gone, Message, Notice, ReceiverSettings, Session, Unreachable, notice_json
from alerts.receivers.address import Forbidden, check, only_private
from ingest.catalog import Catalogue
from ingest.clock import MICROS_PER_SECOND, Clock, system_clock, to_micros

CONNECT_S, ANSWER_S = 5.0, 10.0  # the specification asks receivers to answer within 15 to 30 s; ours queue
WHOLE_S = 20.0  # one notice, all addresses of the name together
ANSWER_BYTES = 16 * 1024  # read so that the connection can be used again; more ends it
LONGEST_RETRY_AFTER_S = 300.0  # an alert must not wait for an hour because a proxy says so
SECRET_PREFIX = "whsec_"
SECRET_BYTES = (24, 64)  # as the specification has it
PORTS = {"https": 443, "http": 80}

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class WebhookSettings(ReceiverSettings):
    """One URL. `allow_private`: it may lie in a private network or on this machine. `insecure`: it is http,
    which is let pass to such addresses only, since whoever listens on the way could forge an alert's end.
    """

    kind: Literal["webhook"] = "webhook"
    url: Annotated[str, Field(max_length=2_000)]
    secret_file: Path
    old_secret_file: Path | None = None  # while receivers change from one secret to the other
    ca_file: Path | None = None  # a private CA's certificates (PEM) beside those that this machine trusts
    allow_private: bool = False
    insecure: bool = False

    @field_validator("url")
    @classmethod
    def _url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or not url.isprintable() or " " in url:
            raise ValueError("write https://name/path")
        if parts.username is not None or parts.password is not None:
            raise ValueError("no user and no password stand in a URL; requests are signed")
        if parts.fragment:
            raise ValueError("a fragment (#) is never sent")
        try:
            httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ValueError(str(error)) from None
        return url

    @model_validator(mode="after")
    def _encrypted(self) -> WebhookSettings:
        if urlsplit(self.url).scheme == "http" and not (self.insecure and self.allow_private):
            raise ValueError(
                "url: http is neither secret nor genuine; write https, or in a private network"
                " `insecure: true` and `allow_private: true`"
            )
        return self


def redacted(url: str) -> str:
    """What of a URL may be seen: its path and query can hold a token."""
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    return f"{parts.scheme}://{parts.hostname}{port}/..."


def read_secret(file: Path) -> bytes:
    """A signing secret as the specification writes it: `whsec_` and base64. `ValueError` where it is not."""
    try:
        text = file.read_text(encoding="ascii").strip()
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, binascii.Error):
        raise ValueError(f"{file} holds no `{SECRET_PREFIX}` and base64") from None
    if not text.startswith(SECRET_PREFIX) or not SECRET_BYTES[0] <= len(key) <= SECRET_BYTES[1]:
        least, most = SECRET_BYTES
        raise ValueError(f"{file} must hold `{SECRET_PREFIX}` and the base64 of {least} to {most} bytes")
    return key


def signature(secret: bytes, event_id: str, at: int, body: bytes) -> str:
    """`v1,` and base64 of the HMAC-SHA256 over id, Unix time and body."""
    signed = f"{event_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


class WebhookReceiver:
    """Posts to one URL."""

    def __init__(
        self,
        settings: WebhookSettings,
        catalogue: Catalogue,
        clock: Clock | None = None,
        resolve: Resolve | None = None,
    ) -> None:
        self.settings = settings
        self._catalogue = catalogue
        self._clock = clock or system_clock()
        self._resolve = resolve or _addresses

    def use(self, catalogue: Catalogue) -> None:
        """See `Receiver`."""
        self._catalogue = catalogue

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Session]:
        """A client that keeps its connection between notices; nothing is sent yet."""
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        try:
            trusted = ssl.create_default_context()
            if self.settings.ca_file is not None:
                trusted.load_verify_locations(self.settings.ca_file)
        except OSError as error:  # ssl's own are among them
            raise Unreachable(f"{self.settings.ca_file}: {error.strerror or error}") from error
        async with httpx.AsyncClient(verify=trusted, timeout=timeout, trust_env=False) as client:
            yield WebhookSession(self, client)

    async def post(self, client: httpx.AsyncClient, notice: Notice) -> None:
        """One attempt."""
        event_id = notice.numbered.event.event_id
        body = wire.encode(notice_json(notice, self._catalogue))
        headers = self._signed(event_id, body)
        try:
            async with asyncio.timeout(WHOLE_S):
                await self._send(client, body, headers)
        except TimeoutError:
            raise Unreachable(f"no answer within {WHOLE_S:g} s") from None

    def _signed(self, event_id: str, body: bytes) -> dict[str, str]:
        at = self._clock.now() // MICROS_PER_SECOND
        files = (self.settings.secret_file, self.settings.old_secret_file)
        try:
            secrets = [read_secret(file) for file in files if file is not None]
        except ValueError as error:
            raise Unreachable(str(error)) from None
        return {
            "content-type": "application/json",
            "user-agent": "huewatch",
            "webhook-id": event_id,
            "webhook-timestamp": str(at),
            "webhook-signature": " ".join(signature(secret, event_id, at, body) for secret in secrets),
        }

    async def _send(self, client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> None:
        """To the first address of the name that can be connected to; each of them has been checked."""
        failed = ""
        for address in await self._checked():
            try:
                await self._request(client, address, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failed = _words(error)
            except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
                raise Unreachable(_words(error)) from None
            else:
                return
        raise Unreachable(failed)

    async def _checked(self) -> Sequence[str]:
        url = httpx.URL(self.settings.url)
        host = url.raw_host.decode("ascii")
        try:
            addresses = await self._resolve(host, url.port or PORTS[url.scheme])
            check(addresses, allow_private=self.settings.allow_private)
        except OSError as error:
            raise Unreachable(f"{host} cannot be resolved: {error.strerror or error}") from None
        except Forbidden as error:
            raise Unreachable(f"nothing is sent to {host}: {error}") from None
        if url.scheme == "http" and not only_private(addresses):
            raise Unreachable(f"nothing is sent to {host}: http outside of a private network")
        return addresses

    async def _request(
        self, client: httpx.AsyncClient, address: str, body: bytes, headers: dict[str, str]
    ) -> None:
        named = httpx.URL(self.settings.url)
        host = named.netloc.decode("ascii")
        request = client.build_request(
            "POST",
            named.copy_with(host=address),
            content=body,
            headers={**headers, "host": host},
            extensions={"sni_hostname": named.raw_host.decode("ascii")},
        )
        answer = await client.send(request, stream=True, follow_redirects=False)
        try:
            await _drain(answer)
            self._judge(answer)
        finally:
            await answer.aclose()

    def _judge(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if 200 <= status < 300:
            return
        if status == httpx.codes.GONE:
            raise Gone(f"{redacted(self.settings.url)} answered 410: it wants nothing more")
        moved = ", and redirects are not followed" if 300 <= status < 400 else ""
        after_s = 0.0
        if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
            after_s = retry_after(answer.headers.get("retry-after", ""), self._clock.now())
        raise Unreachable(f"answered {status}{moved}", after_s)


class WebhookSession(Message):
    """A client at work."""

    def __init__(self, receiver: WebhookReceiver, client: httpx.AsyncClient) -> None:
        self._receiver = receiver
        self._client = client

    async def deliver(self, notice: Notice) -> None:
        await self._receiver.post(self._client, notice)


def retry_after(text: str, now: int) -> float:
    """Seconds that an answer asks us to wait, as a number or a date; at most `LONGEST_RETRY_AFTER_S`."""
    try:
        if text.strip().isdecimal():
            seconds = float(text)
        else:
            seconds = (to_micros(parsedate_to_datetime(text)) - now) / MICROS_PER_SECOND
    except ValueError:
        return 0.0
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER_S)


async def _drain(answer: httpx.Response) -> None:
    """Read the answer's body as far as it may go; an answer that is longer costs its connection."""
    size = 0
    async for part in answer.aiter_raw():
        size += len(part)
        if size > ANSWER_BYTES:
            return


async def _addresses(host: str, port: int) -> Sequence[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _words(error: Exception) -> str:
    """What went wrong, without the URL."""
    return f"{type(error).__name__}: {error}".removesuffix(": ")
