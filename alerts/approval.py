"""Texts that tell people what to do, and who may be told what: checked before a name is put under them. Pure.

Promises: nothing that is approved could be refused by a reader of CAP afterwards: known response types, two
languages that are not the same, plain text. All clear is for what has ended, and to leave or to take shelter
for what has not. Who may approve is the door's (`alerts.api.shifts`). Called by `alerts.handling`.
"""

from __future__ import annotations

from enum import StrEnum

from alerts.model import Approval, Event

LONGEST_TEXT = 500  # characters: half a minute of a loudspeaker
MOST_RESPONSES = 4  # more are no advice


class Response(StrEnum):
    """CAP 1.2 `responseType`, but for None: there is no text to approve where nothing is to be done."""

    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"


WHILE_OPEN = frozenset({Response.SHELTER, Response.EVACUATE})


def fault(told: Event, text: Approval | None) -> str | None:
    """Why the text cannot be approved for an alert that stands as `told`; None: it can."""
    if text is None:
        return "give a text"
    if told.shadow:
        return "its rule is on trial; nobody is told of it"
    if told.rule_kind == "self":
        return "it is about Huewatch itself; the public is told nothing of it"
    return _response_fault(text.response, told.level > 0) or _words_fault(text)


def _response_fault(response: tuple[str, ...], is_open: bool) -> str | None:
    known = {each.value for each in Response}
    if not 0 < len(response) <= MOST_RESPONSES or len(set(response)) < len(response):
        return f"give one to {MOST_RESPONSES} response types, each once"
    if unknown := sorted(set(response) - known):
        return f"{unknown[0]!r} is no response type; there are {', '.join(Response)}"
    if is_open and Response.ALL_CLEAR in response:
        return "all clear is given when the alert has ended"
    if not is_open and WHILE_OPEN & set(response):
        return f"the alert has ended; {' and '.join(sorted(WHILE_OPEN & set(response)))} is for an open one"
    return None


def _words_fault(text: Approval) -> str | None:
    for language, words in (("vi", text.vi), ("en", text.en)):
        if not words.strip():
            return f"the text in {language} is empty"
        if len(words) > LONGEST_TEXT:
            return f"a text has at most {LONGEST_TEXT} characters, and in {language} {len(words)}"
        if not _is_plain(words):
            return f"the text in {language} has markup or control characters; write plain text"
    if text.vi.strip().casefold() == text.en.strip().casefold():
        return "both languages have the same text"
    return None


def _is_plain(words: str) -> bool:
    """Neither markup (a bare & would be an entity to somebody) nor what does not print, but for new lines."""
    return not set("<>&") & set(words) and all(each.isprintable() or each == "\n" for each in words)
