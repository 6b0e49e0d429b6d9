"""The receiver `email` against a real SMTP server with TLS: readable, threaded, no mailbox blocks another."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from msgspec.structs import replace

from alerts.handling import Story, stories
from alerts.model import Event, EventKind, NumberedEvent
from alerts.receivers import Notice, Undeliverable, Unreachable
from alerts.receivers.email import HOLD_S, EmailReceiver, EmailSettings
from alerts.receivers.letter import letter
from ingest.clock import Clock
from ingest.embedded_server import free_port
from tests.support.certificates import Authority
from tests.support.feed import MINUTE, NOW, catalogue, happening, river

CITY = catalogue()
A, B, C = "a@hue.example", "b@hue.example", "c@hue.example"
RAISED = happening(1, level=3)


def numbered(event: Event, seq: int = 1) -> NumberedEvent:
    return NumberedEvent(seq, NOW, event)


def notice(event: Event, seq: int = 1, **more: Any) -> Notice:
    return Notice(numbered(event, seq), silent=False, story=Story(numbered(event, seq)), **more)


# -- what is written


def written(told: Notice, places: Any = CITY, console: str | None = None) -> EmailMessage:
    raw = letter(told, places, "huewatch@hue.example", [A, B], console).as_bytes()
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


def test_a_message_says_all_of_it_in_both_languages() -> None:
    message = written(notice(RAISED), console="https://ioc.example/")
    assert message["Subject"] == (
        "DIỄN TẬP: Kim Long (sông Hương): 3,08 m lúc 07:00 27/10, TRÊN BĐ III 0,08 m, đang lên 12 cm/giờ"
    )
    text = message.get_content()
    for line in (
        "Giá trị: 3,08 m lúc 07:00 27/10",
        "Mức: BĐ III",
        "So với ngưỡng: 0,08 m",
        "Xu thế: 12 cm/giờ",
        "lúc 07:00 27/10, đã kiểm chứng, chưa ai tiếp nhận",
        "EXERCISE: Kim Long (Hương River): 3.08 m at 07:00 27/10, ABOVE BĐ III by 0.08 m, rising 12 cm/h",
        "Value: 3.08 m at 07:00 27/10",
        "at 07:00 27/10, verified, not acknowledged",
        f"https://ioc.example/#/alert/{RAISED.alert_id}",
    ):
        assert line in text.splitlines(), line
    assert message.get_content_type() == "text/plain"


def test_age_doubt_and_who_acknowledged_are_said() -> None:
    old = replace(RAISED, observed_at=NOW - 45 * MINUTE, verified=False)
    ack = replace(RAISED, kind=EventKind.ACKNOWLEDGED, by="An", reason="until worse")
    story = stories([numbered(old), numbered(ack, 2)])[old.alert_id]
    message = written(Notice(numbered(old), silent=False, story=story))
    line = "số liệu đã 45 phút khi báo lúc 07:00 27/10, CHƯA KIỂM CHỨNG, An đã tiếp nhận"
    assert line in message.get_content().splitlines()


def test_all_messages_of_an_alert_are_one_thread_and_each_has_the_id_of_its_event() -> None:
    end = happening(2, kind=EventKind.CLEARED)
    first, second, other = (written(notice(one)) for one in (RAISED, end, happening(3, alert=2)))
    assert first["Message-ID"] == f"<{RAISED.event_id}@hue.example>"
    assert first["References"] == first["In-Reply-To"] == second["References"] != other["References"]
    assert second["Message-ID"] != first["Message-ID"]
    assert written(notice(RAISED)).as_bytes() == first.as_bytes()


def test_nothing_from_outside_makes_a_header_or_a_line() -> None:
    evil = river("HUE-WL-KIMLONG", "Kim\r\nBcc: x@evil.example\r\n\r\nLong\x1b[2J", "Hương", (1.0, 2.0, 3.5))
    event = replace(RAISED, comment="so\r\n.\r\nMAIL FROM:<x>", by="An\nBcc: y@evil.example")
    message = written(notice(event), CITY.model_copy(update={"stations": (evil,)}))
    assert message["Bcc"] is None
    assert "Kim Bcc: x@evil.example Long [2J" in message["Subject"]
    assert "\x1b" not in message.get_content()
    assert "Ghi chú: so . MAIL FROM:<x>" in message.get_content().splitlines()


def test_a_digest_is_one_message_that_lists_what_it_tells() -> None:
    both = (numbered(RAISED, 1), numbered(happening(2, alert=2, station="HUE-WL-PHUOC", level=2), 2))
    message = written(notice(both[1].event, 2, digest=both))
    assert message["Subject"].startswith("DIỄN TẬP: 2 cảnh báo cùng lúc: ")
    assert message.get_content().count("\n- ") == 4


def test_reminders_of_one_area_are_told_as_what_still_stands() -> None:
    again = [replace(each, kind=EventKind.REMINDED) for each in (RAISED, happening(2, alert=2, level=2))]
    both = tuple(numbered(event, seq) for seq, event in enumerate(again, start=1))
    message = written(notice(again[1], 2, digest=both))
    assert message["Subject"].startswith("DIỄN TẬP: NHẮC LẠI 2 cảnh báo: ")


# -- how it is sent


@dataclass
class Mailboxes:
    """An SMTP server that can refuse each mailbox, each message or each login."""

    refuse: dict[str, str] = field(default_factory=dict)
    data: str = "250 OK"
    taken: list[tuple[str, EmailMessage]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = message_from_bytes(content, policy=policy.default)
            self.taken += [(to, message) for to in envelope.rcpt_tos]  # type: ignore[misc]
            self.encrypted.append(session.ssl is not None)
        return self.data

    def of(self, mailbox: str) -> list[str]:
        return [message["Message-ID"] for to, message in self.taken if to == mailbox]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("mail") / "ca")


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("pw\n", encoding="utf-8")
    return file


@pytest.fixture
def mail(authority: Authority) -> Iterator[Mailboxes]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.folder / "broker.crt", authority.folder / "broker.key")

    def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login, data.password) == (b"huewatch", b"pw"), handled=False)

    mailboxes = Mailboxes()
    controller = Controller(
        mailboxes,
        hostname="localhost",
        port=free_port(),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=login,
    )
    controller.start()
    mailboxes.port = controller.port
    yield mailboxes
    controller.stop()


class Watch:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @property
    def clock(self) -> Clock:
        async def sleep(seconds: float) -> None:
            self.seconds += seconds

        return Clock(now=lambda: NOW, monotonic=lambda: self.seconds, sleep=sleep)


def settings(mail: Mailboxes, authority: Authority, password: Path, **more: Any) -> EmailSettings:
    fields = {
        "host": "localhost",
        "port": mail.port,
        "ca_file": authority.folder / "ca.crt",
        "username": "huewatch",
        "password_file": password,
        "sender": "huewatch@hue.example",
        "to": (A, B, C),
    }
    return EmailSettings(name="duty", **(fields | more))


@pytest.fixture
def receiver(mail: Mailboxes, authority: Authority, password: Path) -> EmailReceiver:
    return EmailReceiver(settings(mail, authority, password), CITY, Watch().clock)


@asynccontextmanager
async def at_work(receiver: EmailReceiver) -> AsyncIterator[Any]:
    async with receiver.connect() as session:
        yield session


async def test_every_mailbox_gets_one_message_over_tls(mail: Mailboxes, receiver: EmailReceiver) -> None:
    async with at_work(receiver) as session:
        await session.deliver(notice(RAISED))
    assert [to for to, _ in mail.taken] == [A, B, C]
    assert mail.encrypted == [True]
    assert mail.taken[0][1]["Subject"].startswith("DIỄN TẬP: Kim Long")


async def test_a_mailbox_that_does_not_exist_costs_the_others_nothing(
    mail: Mailboxes, receiver: EmailReceiver
) -> None:
    mail.refuse = {B: "550 5.1.1 no such user"}
    async with at_work(receiver) as session:
        with pytest.raises(Undeliverable, match=r"b@hue\.example: 550 5\.1\.1 no such user") as refused:
            await session.deliver(notice(RAISED))
    assert refused.value.partly
    assert [to for to, _ in mail.taken] == [A, C]


async def test_where_nobody_takes_it_for_good_it_is_let_go(mail: Mailboxes, receiver: EmailReceiver) -> None:
    mail.refuse = dict.fromkeys((A, B, C), "550 no")
    with pytest.raises(Undeliverable) as refused:
        await receiver.send(notice(RAISED))
    assert not refused.value.partly
    mail.refuse, mail.data = {}, "554 looks like spam"
    with pytest.raises(Undeliverable, match="554 looks like spam"):
        await receiver.send(notice(RAISED))


async def test_where_everybody_says_later_it_is_tried_again(mail: Mailboxes, receiver: EmailReceiver) -> None:
    mail.refuse = dict.fromkeys((A, B, C), "451 greylisted")
    for _ in range(3):
        with pytest.raises(Unreachable, match="451 greylisted"):
            await receiver.send(notice(RAISED))
    mail.refuse = {}
    await receiver.send(notice(RAISED))
    assert len(mail.taken) == 3


async def test_who_took_it_is_not_sent_it_again_while_another_says_later(
    mail: Mailboxes, receiver: EmailReceiver
) -> None:
    mail.refuse = {B: "452 mailbox full"}
    with pytest.raises(Unreachable, match="452 mailbox full"):
        await receiver.send(notice(RAISED))
    mail.refuse = {}
    await receiver.send(notice(RAISED))
    assert [to for to, _ in mail.taken] == [A, C, B]


async def test_a_mailbox_that_is_full_holds_the_others_for_a_minute_once(
    mail: Mailboxes, authority: Authority, password: Path
) -> None:
    watch = Watch()
    receiver = EmailReceiver(settings(mail, authority, password), CITY, watch.clock)
    mail.refuse = {B: "452 mailbox full"}
    with pytest.raises(Unreachable):
        await receiver.send(notice(RAISED))
    watch.seconds += HOLD_S
    with pytest.raises(Undeliverable) as refused:
        await receiver.send(notice(RAISED))
    assert refused.value.partly
    with pytest.raises(Undeliverable):  # the next is not held
        await receiver.send(notice(happening(2, kind=EventKind.CLEARED), 2))
    mail.refuse = {}
    await receiver.send(notice(happening(3, alert=2), 3))
    assert (len(mail.of(A)), len(mail.of(B))) == (3, 1)


async def test_a_wrong_password_and_a_server_that_is_down_are_tried_again(
    mail: Mailboxes, authority: Authority, password: Path
) -> None:
    await asyncio.to_thread(password.write_text, "another")
    chosen = settings(mail, authority, password)
    with pytest.raises(Unreachable, match="SMTPAuthenticationError") as refused:
        await EmailReceiver(chosen, CITY).send(notice(RAISED))
    assert "another" not in str(refused.value)
    with pytest.raises(Unreachable):
        await EmailReceiver(settings(mail, authority, password, port=free_port()), CITY).send(notice(RAISED))


async def test_a_certificate_that_nobody_trusts_is_refused(
    mail: Mailboxes, authority: Authority, password: Path
) -> None:
    chosen = settings(mail, authority, password, ca_file=None)
    with pytest.raises(Unreachable, match="certificate"):
        await EmailReceiver(chosen, CITY).send(notice(RAISED))
    assert mail.taken == []
