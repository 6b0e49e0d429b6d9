"""The receiver `webhook` against a real HTTP server: signed, in order, to the address that was checked."""

import asyncio
import base64
import json
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from alerts.model import NumberedEvent
from alerts.receivers import Gone, Notice, Unreachable
from alerts.receivers.webhook import (
    LONGEST_RETRY_AFTER_S,
    WebhookReceiver,
    WebhookSettings,
    redacted,
    retry_after,
    signature,
)
from ingest.clock import to_datetime
from ingest.embedded_server import free_port
from tests.fakes.hook import KEY, SECRET, Answer, Hook
from tests.support.certificates import Authority
from tests.support.feed import NOW, catalogue, happening

NOTICE = Notice(NumberedEvent(7, NOW, happening(1)), silent=False)
PATH = "/hooks/token-in-the-path?key=abc"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET, encoding="ascii")
    return file


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook().serving() as found:
        yield found


def settings(secret: Path, url: str, **more: Any) -> WebhookSettings:
    return WebhookSettings(
        **{"name": "app", "url": url, "secret_file": secret, "allow_private": True, "insecure": True, **more}
    )


def resolving(*addresses: str) -> Any:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return addresses

    resolve.asked = asked  # type: ignore[attr-defined]
    return resolve


async def send(chosen: WebhookSettings, *notices: Notice, resolve: Any = None) -> None:
    receiver = WebhookReceiver(chosen, catalogue(), resolve=resolve)
    async with receiver.connect() as session:
        for notice in notices or (NOTICE,):
            await session.deliver(notice)


async def test_a_notice_comes_signed_with_its_event_id(hook: Hook, secret: Path) -> None:
    await send(settings(secret, f"http://127.0.0.1:{hook.port}{PATH}"))
    (request,) = hook.seen
    assert request.path == PATH
    assert request.id == NOTICE.numbered.event.event_id
    assert request.signed_by(KEY)
    assert not request.signed_by(b"another")
    told = json.loads(request.body)
    assert (told["seq"], told["kind"], told["silent"], told["nature"]) == (7, "raised", False, "Exercise")
    assert request.headers["content-type"] == "application/json"


async def test_while_a_secret_is_changed_both_sign(hook: Hook, secret: Path, tmp_path: Path) -> None:
    new, key = tmp_path / "new", bytes(range(1, 33))
    new.write_text("whsec_" + base64.b64encode(key).decode(), encoding="ascii")
    await send(settings(new, f"http://127.0.0.1:{hook.port}/", old_secret_file=secret))
    (request,) = hook.seen
    assert request.signed_by(KEY)
    assert request.signed_by(key)


async def test_a_secret_file_that_changes_is_in_force_at_the_next_notice(hook: Hook, secret: Path) -> None:
    receiver = WebhookReceiver(settings(secret, f"http://127.0.0.1:{hook.port}/"), catalogue())
    key = bytes(range(2, 34))
    async with receiver.connect() as session:
        await session.deliver(NOTICE)
        await asyncio.to_thread(secret.write_text, "whsec_" + base64.b64encode(key).decode())
        await session.deliver(NOTICE)
        await asyncio.to_thread(secret.unlink)
        with pytest.raises(Unreachable, match="cannot be read"):
            await session.deliver(NOTICE)
    assert [request.signed_by(key) for request in hook.seen] == [False, True]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_2xx_takes_a_notice(hook: Hook, secret: Path, status: int) -> None:
    hook.answer = lambda request: Answer(status)
    await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))
    assert len(hook.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 413, 429, 500, 503])
async def test_all_else_is_tried_again(hook: Hook, secret: Path, status: int) -> None:
    hook.answer = lambda request: Answer(status, {"location": "http://127.0.0.1:1/"})
    with pytest.raises(Unreachable, match=f"answered {status}"):
        await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))


async def test_a_redirect_is_not_followed(hook: Hook, secret: Path) -> None:
    with Hook().serving() as elsewhere:
        place = {"location": f"http://127.0.0.1:{elsewhere.port}/"}
        hook.answer = lambda request: Answer(307, place)
        with pytest.raises(Unreachable, match="redirects are not followed"):
            await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))
        assert elsewhere.seen == []


async def test_410_ends_everything_and_names_no_path(hook: Hook, secret: Path) -> None:
    hook.answer = lambda request: Answer(410)
    with pytest.raises(Gone) as gone:
        await send(settings(secret, f"http://127.0.0.1:{hook.port}{PATH}"))
    assert f"http://127.0.0.1:{hook.port}/..." in str(gone.value)
    assert "token" not in str(gone.value)


@pytest.mark.parametrize(("status", "asked", "waits"), [(429, "7", 7.0), (503, "9", 9.0), (500, "9", 0.0)])
async def test_retry_after_is_heeded_where_it_means_something(
    hook: Hook, secret: Path, status: int, asked: str, waits: float
) -> None:
    hook.answer = lambda request: Answer(status, {"retry-after": asked})
    with pytest.raises(Unreachable) as refused:
        await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))
    assert refused.value.after_s == waits


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("86400", LONGEST_RETRY_AFTER_S),
        ("-5", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        (format_datetime(to_datetime(NOW + 60_000_000), usegmt=True), 60.0),
        (format_datetime(to_datetime(NOW - 60_000_000), usegmt=True), 0.0),
    ],
)
def test_retry_after_is_bounded(text: str, seconds: float) -> None:
    assert retry_after(text, NOW) == seconds


async def test_an_endless_answer_is_read_to_a_bound(hook: Hook, secret: Path) -> None:
    hook.answer = lambda request: Answer(200, {"content-length": str(10**12)}, b"x" * 100_000)
    await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))
    assert len(hook.seen) == 1


async def test_nobody_who_answers_is_unreachable_and_says_no_path(secret: Path) -> None:
    with pytest.raises(Unreachable) as refused:
        await send(settings(secret, f"http://127.0.0.1:{free_port()}{PATH}"))
    assert "token" not in str(refused.value)


async def test_a_server_that_hangs_is_left(hook: Hook, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.receivers.webhook.ANSWER_S", 0.2)
    hook.answer = lambda request: Answer(after_s=2.0)
    with pytest.raises(Unreachable, match="ReadTimeout"):
        await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))


async def test_a_server_that_drips_is_left(hook: Hook, secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.receivers.webhook.WHOLE_S", 0.3)
    hook.answer = lambda request: Answer(after_s=2.0)
    with pytest.raises(Unreachable, match="no answer within"):
        await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))


# -- the address that is checked is the one that is spoken to


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def encrypted(authority: Authority) -> ssl.SSLContext:
    """A server that shows the certificate of `localhost`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "broker.crt", authority.folder / "broker.key")
    return context


@contextmanager
def secure(authority: Authority, names: list[str | None]) -> Iterator[Hook]:
    context = encrypted(authority)
    context.sni_callback = lambda connection, name, _: names.append(name)
    with Hook().serving(tls=context) as hook:
        yield hook


async def test_the_names_own_certificate_sni_and_host_are_used_at_the_checked_address(
    authority: Authority, secret: Path
) -> None:
    names: list[str | None] = []
    resolve = resolving("127.0.0.1")
    with secure(authority, names) as hook:
        chosen = settings(secret, f"https://localhost:{hook.port}/", ca_file=authority.folder / "ca.crt")
        await send(chosen, resolve=resolve)
    assert resolve.asked == ["localhost"]
    assert names == ["localhost"]
    assert hook.seen[0].headers["host"] == f"localhost:{hook.port}"


async def test_a_certificate_of_another_name_is_refused(authority: Authority, secret: Path) -> None:
    with secure(authority, []) as hook:
        chosen = settings(secret, f"https://other.example:{hook.port}/", ca_file=authority.folder / "ca.crt")
        with pytest.raises(Unreachable, match="ConnectError"):
            await send(chosen, resolve=resolving("127.0.0.1"))
    assert hook.seen == []


async def test_a_certificate_that_nobody_trusts_is_refused(authority: Authority, secret: Path) -> None:
    with secure(authority, []) as hook, pytest.raises(Unreachable, match="ConnectError"):
        await send(settings(secret, f"https://localhost:{hook.port}/"))
    assert hook.seen == []


async def test_a_name_that_is_bound_anew_to_a_private_address_is_not_spoken_to(
    authority: Authority, secret: Path
) -> None:
    """DNS rebinding: a public address when it is first asked for, our own network's the next time."""
    answers = [["93.184.216.34"], ["127.0.0.1"]]

    async def resolve(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    with secure(authority, []) as hook:
        url = f"https://localhost:{hook.port}/"
        chosen = settings(
            secret, url, allow_private=False, insecure=False, ca_file=authority.folder / "ca.crt"
        )
        receiver = WebhookReceiver(chosen, catalogue(), resolve=resolve)
        assert await receiver._checked() == ["93.184.216.34"]
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1 is a private address"):
            await send(chosen, resolve=resolve)
    assert hook.seen == []
    assert answers == []  # asked once for each request: what is checked is what is used


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"])
async def test_a_public_name_that_leads_inside_is_refused(secret: Path, address: str) -> None:
    chosen = settings(secret, "https://app.example/", allow_private=False, insecure=False)
    with pytest.raises(Unreachable, match="nothing is sent to app"):
        await send(chosen, resolve=resolving("93.184.216.34", address))


async def test_http_never_leaves_the_private_network(secret: Path) -> None:
    chosen = settings(secret, "http://app.example/")
    with pytest.raises(Unreachable, match="http outside of a private network"):
        await send(chosen, resolve=resolving("93.184.216.34"))


async def test_a_proxy_of_the_environment_is_not_used(
    hook: Hook, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    await send(settings(secret, f"http://127.0.0.1:{hook.port}/"))
    assert len(hook.seen) == 1


async def test_the_next_address_of_a_name_is_tried(hook: Hook, secret: Path) -> None:
    await send(
        settings(secret, f"http://localhost:{hook.port}/"), resolve=resolving("127.0.0.2", "127.0.0.1")
    )
    assert len(hook.seen) == 1


def test_a_url_is_seen_without_what_may_be_secret() -> None:
    assert redacted("https://app.example:8443/hooks/token?key=abc") == "https://app.example:8443/..."
    assert redacted("https://app.example/hooks/token") == "https://app.example/..."


def test_the_verifier_of_the_page_tells_right_from_wrong(hook: Hook, secret: Path) -> None:
    """The ten lines that config/README.md gives to whoever receives."""
    text = (Path(__file__).parents[2] / "config" / "README.md").read_text(encoding="utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    assert len(code.strip().splitlines()) <= 14
    space: dict[str, Any] = {}
    exec(code, space)
    accepted, at, body = space["accepted"], str(NOW // 1_000_000), b'{"seq": 7}'
    headers = {"webhook-id": "a", "webhook-timestamp": at}
    right = headers | {"webhook-signature": "v1,old " + signature(KEY, "a", int(at), body)}
    now = NOW / 1_000_000
    assert accepted(right, body, SECRET, now)
    assert not accepted(right, body + b" ", SECRET, now)
    assert not accepted(right | {"webhook-id": "b"}, body, SECRET, now)
    assert not accepted(right | {"webhook-signature": "v1,"}, body, SECRET, now)
    assert not accepted(right, body, SECRET, now + 3_600)
