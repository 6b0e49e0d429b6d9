"""A missing part skips a person's test and fails CI's, and both say what to do."""

import pytest

from tests.support.parts import REQUIRE, missing, need_program


def test_missing_part_skips_and_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="chromium is missing: apt-get install chromium"):
        missing("chromium", "apt-get install chromium")


def test_missing_part_fails_where_all_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRE, "all")
    with pytest.raises(pytest.fail.Exception, match="chromium is required here and missing"):
        missing("chromium", "apt-get install chromium")


def test_program_of_nowhere_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(REQUIRE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="apt-get install nothing"):
        need_program("no-such-program-anywhere", "nothing")
