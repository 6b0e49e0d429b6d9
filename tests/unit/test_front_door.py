"""The front door's own small decisions."""

import pytest

from huewatch import page_url


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("192.168.7.7", "http://192.168.7.7:8080"),
        ("::", "http://[::1]:8080"),
    ],
)
def test_page_is_asked_where_this_machine_reaches_it(host: str, url: str) -> None:
    assert page_url(host, 8080) == url
