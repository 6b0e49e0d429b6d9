"""Where a webhook may be sent: public addresses, one's own if allowed, and never what hands out rights."""

import pytest

from alerts.receivers.address import Forbidden, check, refusal

PRIVATE = [
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.255.254",
    "100.64.0.1",
    "::1",
    "fd12:3456::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::",
    "fe80::1",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "::",
    "255.255.255.255",
    "240.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "2001:db8::1",
]
PUBLIC = ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_let_pass(address: str) -> None:
    assert refusal(address, allow_private=False) is None
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_let_pass_only_where_it_is_allowed(address: str) -> None:
    assert refusal(address, allow_private=False) == "a private address"
    assert refusal(address, allow_private=True) is None


@pytest.mark.parametrize("address", NEVER)
def test_what_hands_out_rights_or_is_no_host_is_never_let_pass(address: str) -> None:
    assert refusal(address, allow_private=False) is not None
    assert refusal(address, allow_private=True) is not None


def test_a_name_is_as_good_as_its_worst_address() -> None:
    check(["8.8.8.8", "2606:4700::1111"], allow_private=False)
    with pytest.raises(Forbidden, match=r"10\.0\.0\.1 is a private address"):
        check(["8.8.8.8", "10.0.0.1"], allow_private=False)
    with pytest.raises(Forbidden, match="no address"):
        check([], allow_private=True)
