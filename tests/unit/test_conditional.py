"""Conditional requests: what a client has is believed only where no change can have been missed."""

import pytest

from alerts.api.conditional import SETTLED, unchanged, validators

AT = 1_761_523_200_000_000  # Mon, 27 Oct 2025 00:00:00 GMT
DATE = "Mon, 27 Oct 2025 00:00:00 GMT"


def test_a_date_is_given_once_nothing_of_its_second_can_come() -> None:
    assert validators('"1"', AT + 900_000, AT + SETTLED) == {"ETag": '"1"'}
    assert validators('"1"', AT, AT + SETTLED) == {"ETag": '"1"', "Last-Modified": DATE}
    assert validators('"1"') == {"ETag": '"1"'}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"if-none-match": '"1"'}, True),
        ({"if-none-match": 'W/"1"'}, True),
        ({"if-none-match": '"0", "1"'}, True),
        ({"if-none-match": "*"}, True),
        ({"if-none-match": '"2"'}, False),
        ({"if-none-match": '"2"', "if-modified-since": DATE}, False),  # the tag goes before the date
        ({"if-modified-since": DATE}, True),
        ({"if-modified-since": "Sun, 26 Oct 2025 23:59:59 GMT"}, False),
        ({"if-modified-since": "yesterday"}, False),
        ({}, False),
    ],
)
def test_what_the_client_has_is_right_or_not(asked: dict[str, str], expected: bool) -> None:
    assert unchanged(asked, '"1"', AT + 400_000) is expected


def test_without_a_time_no_date_is_believed() -> None:
    assert not unchanged({"if-modified-since": DATE}, '"1"')
