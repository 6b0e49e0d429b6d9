"""Laws of tokens: what is read is what was made, nothing else proves it, and nobody is locked out."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from alerts.access import Credential, Kind, Scope, new_credential, parse
from alerts.tries import AT_ONCE, PAUSE_S, PEERS, Tries

CREDENTIALS = st.builds(
    lambda kind, seed: new_credential(kind, random.Random(seed).randbytes),
    st.sampled_from(Kind),
    st.integers(),
)


@given(CREDENTIALS)
def test_a_credential_is_read_as_it_was_made_and_proves_itself(credential: Credential) -> None:
    read = parse(credential.text, credential.kind)
    assert read == credential
    assert read.proves(credential.hash)
    assert len(credential.hash) == 32


@given(CREDENTIALS, st.sampled_from(Kind))
def test_a_token_is_no_session_and_a_session_no_token(credential: Credential, kind: Kind) -> None:
    assert (parse(credential.text, kind) is None) == (kind is not credential.kind)


@given(CREDENTIALS, st.data())
def test_a_text_that_differs_anywhere_proves_nothing(credential: Credential, data: st.DataObject) -> None:
    text = credential.text
    at = data.draw(st.integers(0, len(text) - 1))
    other = text[:at] + data.draw(st.characters().filter(lambda c: c != text[at])) + text[at + 1 :]
    read = parse(other, credential.kind)
    assert read is None or not read.proves(credential.hash)


@given(st.text() | st.from_regex(r"hws?_[0-9a-f]{0,14}_[0-9a-f]{0,66}\n?"))
def test_whatever_is_read_is_written_the_same(text: str) -> None:
    for kind in Kind:
        read = parse(text, kind)
        assert read is None or read.text == text


@given(CREDENTIALS, CREDENTIALS)
def test_two_credentials_do_not_prove_each_other(one: Credential, other: Credential) -> None:
    assert one == other or not one.proves(other.hash)


@given(CREDENTIALS)
def test_neither_repr_nor_str_shows_the_secret(credential: Credential) -> None:
    for shown in (repr(credential), str(credential), f"{credential}"):
        assert credential.secret not in shown
        assert credential.id in shown


def test_each_scope_holds_those_before_it_and_no_other() -> None:
    assert Scope.READ.held == {Scope.READ}
    assert Scope.ACKNOWLEDGE.held == {Scope.READ, Scope.ACKNOWLEDGE}
    assert Scope.ADMINISTER.held == set(Scope)


@given(st.lists(st.floats(0, 100), max_size=200))
def test_a_peer_is_never_asked_to_wait_longer_than_one_pause_at_a_time(times: list[float]) -> None:
    tries, now = Tries(), 0.0
    for step in times:
        now += step
        tries.failed("192.0.2.1", now)
        assert 0 <= tries.wait("192.0.2.1", now) <= 2 * PAUSE_S
        assert tries.wait("192.0.2.2", now) == 0.0


def test_a_peer_fails_so_often_at_once_and_then_pauses() -> None:
    tries = Tries()
    for _ in range(AT_ONCE):
        assert tries.wait("192.0.2.1", 0.0) == 0.0
        tries.failed("192.0.2.1", 0.0)
    wait = tries.wait("192.0.2.1", 0.0)
    assert 0 < wait <= PAUSE_S
    assert tries.wait("192.0.2.1", wait) == 0.0
    assert tries.wait("192.0.2.1", AT_ONCE * PAUSE_S) == 0.0


def test_the_addresses_of_one_ipv6_subscriber_are_one_peer() -> None:
    tries = Tries()
    for number in range(AT_ONCE):
        tries.failed(f"2001:db8:0:1::{number:x}", 0.0)
    assert tries.wait("2001:db8:0:1:ffff::1", 0.0) > 0
    assert tries.wait("2001:db8:0:2::1", 0.0) == 0.0


def test_what_is_remembered_of_peers_is_bounded() -> None:
    tries = Tries()
    for number in range(PEERS + 100):
        tries.failed(f"peer {number}", 0.0)
    assert len(tries._paid_at) == PEERS
